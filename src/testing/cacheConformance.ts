/**
 * Holds any layer of `Cache` to what the service promises.
 *
 * @since 0.1.0
 */
import type * as Layer from "effect/Layer"
import type { Cache } from "../Cache.js"
import * as Account from "./conformance/cache/account.js"
import * as Entries from "./conformance/cache/entries.js"
import { flights } from "./conformance/cache/flights.js"
import { freshness } from "./conformance/cache/freshness.js"
import { overtaking, overtakingByClear } from "./conformance/cache/overtaking.js"
import * as Regions from "./conformance/cache/regions.js"
import { makeSubject } from "./conformance/cache/subject.js"
import { provided, register, type TestRunner } from "./conformance/register.js"

/**
 * What `cacheConformance` takes.
 *
 * - `shortestTtl`: the shortest life that the store can give an entry, in
 *   milliseconds; default 0. The tests of expiry wait for twice that
 * - `scan`: whether the store can list and clear; default true. `false`: tests
 *   of `clear`, `keys` and `stats` are not registered
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheConformanceOptions {
  readonly shortestTtl?: number | undefined
  readonly scan?: boolean | undefined
}

/**
 * Registers the tests that a layer of `Cache` has to pass, with the `describe`
 * and `it` of whatever runner you have.
 *
 * Each test builds the layer anew and uses keys of its own, which it removes if
 * the store can list them. Some call `Cache.clear`, though: give the layer a
 * prefix that nothing else uses, and do not run these tests at the same time as
 * others on that prefix. Time is real, some seconds in all.
 *
 * What several processes over one store promise each other is not tested here:
 * for that there are `cacheBackendConformance` and `ControlledBackend`.
 *
 * @example
 * ```ts
 * import { Cache, MemoryBackend } from "effect-larder"
 * import { cacheConformance } from "effect-larder/testing"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { describe, it } from "node:test"
 *
 * const layer = Layer.unwrapEffect(
 *   Effect.map(MemoryBackend.make(), (backend) => Cache.fromBackend(backend, { prefix: "test" }))
 * )
 *
 * cacheConformance("my cache", layer, { describe, it })
 * ```
 *
 * @since 0.1.0
 * @category conformance
 */
export const cacheConformance = <E>(
  name: string,
  layer: Layer.Layer<Cache, E>,
  tests: TestRunner,
  options: CacheConformanceOptions = {}
): void => {
  const { scan = true, shortestTtl = 0 } = options
  const groups = [
    { name: "single flight", cases: flights },
    { name: "entries", cases: [...Entries.entries, ...(scan ? Entries.clearing : [])] },
    { name: "freshness", cases: freshness },
    { name: "overtaking", cases: [...overtaking, ...(scan ? overtakingByClear : [])] },
    { name: "regions", cases: [...Regions.regions, ...(scan ? Regions.clearing : [])] },
    { name: "account", cases: [...Account.account, ...(scan ? Account.listing : [])] }
  ].map(({ cases, name: about }) => ({ name: about, cases: cases.map(provided) }))
  register(tests, name, groups, makeSubject(layer, { scan, shortestTtl }))
}
