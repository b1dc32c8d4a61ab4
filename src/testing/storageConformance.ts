/**
 * Holds any layer of `Storage` to what the service promises.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Layer from "effect/Layer"
import type { Storage } from "../Storage.js"
import { provided, register, type TestRunner } from "./conformance/register.js"
import { cleaning } from "./conformance/storage/cleaning.js"
import { keys } from "./conformance/storage/keys.js"
import { lives } from "./conformance/storage/lives.js"
import { many } from "./conformance/storage/many.js"
import { patterns } from "./conformance/storage/patterns.js"
import { makeSubject } from "./conformance/storage/subject.js"
import { values } from "./conformance/storage/values.js"
import { views } from "./conformance/storage/views.js"

/**
 * What `storageConformance` takes.
 *
 * - `ttl`: the ttl of an entry whose `set` does not say: what the layer was given, at least
 *   a minute; default `Infinity`
 * - `isShared`: whether two builds of the layer are like two processes, which see each
 *   other's entries; default true
 * - `expiry`: who removes what has expired. `"cleanup"`, the default: all of it is left to
 *   reads and to `cleanup`, whose count is exact. `"native"`: the store does that by itself,
 *   and `cleanup` counts what it has left
 *
 * @since 0.1.0
 * @category models
 */
export interface StorageConformanceOptions {
  readonly ttl?: Duration.DurationInput | undefined
  readonly isShared?: boolean | undefined
  readonly expiry?: "cleanup" | "native" | undefined
}

/**
 * Registers the tests that a layer of `Storage` has to pass, with the `describe` and `it`
 * of whatever runner you have.
 *
 * Each test builds the layer, twice where it is shared, and works on keys of its own,
 * `conformance-…`, which it removes, and on a few without that beginning: the empty key
 * is one. For a server that is slow to reach, give it a layer of what is there already:
 * `Layer.succeedContext`.
 *
 * `cleanup` is of a store as a whole. Give the layer a table or a prefix that nothing else
 * uses, and let the tests come one after the other, unless each build has a store of
 * its own, as in memory. Time is real: the longest test takes about two seconds, and gives
 * up after 4.5.
 *
 * @example
 * ```ts
 * import { MemoryStorage } from "effect-larder"
 * import { storageConformance } from "effect-larder/testing"
 * import { describe, it } from "node:test"
 *
 * const tests = { describe, it }
 *
 * storageConformance("entries in memory", MemoryStorage.layer(), tests, { isShared: false })
 * ```
 *
 * @since 0.1.0
 * @category conformance
 */
export const storageConformance = <E>(
  name: string,
  layer: Layer.Layer<Storage, E>,
  tests: TestRunner,
  { expiry = "cleanup", isShared = true, ttl = Infinity }: StorageConformanceOptions = {}
): void => {
  const groups = [
    { name: "values", cases: values },
    { name: "keys", cases: keys },
    { name: "lives", cases: lives },
    { name: "patterns", cases: patterns },
    { name: "several at once", cases: many },
    { name: "views", cases: views },
    { name: "cleaning up", cases: cleaning }
  ].map(({ cases, name: about }) => ({ name: about, cases: cases.map(provided) }))
  const traits = { ttl: Duration.toMillis(ttl), isNative: expiry === "native" }
  register(tests, name, groups, makeSubject(layer, isShared, traits))
}
