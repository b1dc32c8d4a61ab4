/**
 * Holds a backend of your own to what the port promises.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { CacheBackend } from "../port/CacheBackend.js"
import { leases } from "./conformance/backend/leases.js"
import { lives } from "./conformance/backend/lives.js"
import { model } from "./conformance/backend/model.js"
import { pushes } from "./conformance/backend/pushes.js"
import { scans } from "./conformance/backend/scans.js"
import { makeSubject } from "./conformance/backend/subject.js"
import { values } from "./conformance/backend/values.js"
import { writes } from "./conformance/backend/writes.js"
import { register, type TestRunner } from "./conformance/register.js"

/**
 * What `cacheBackendConformance` takes.
 *
 * - `seed`: repeats the random sequences of a run that failed, and printed it
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheBackendConformanceOptions {
  readonly seed?: number | undefined
}

/**
 * Registers the tests that a `CacheBackend` has to pass, with the `describe` and
 * `it` of whatever runner you have.
 *
 * Each test builds the backend anew, in a scope that closes when it ends, and
 * works on keys under a random prefix, `conformance-…`, which it removes: a
 * server that is in use can be tested. Time is real, some seconds in all; the
 * longest test takes about one, and gives up after 4.5. What a backend's
 * `capabilities` rule out is skipped.
 *
 * Passing does not show what a server does when it fails over, or when replies
 * are lost: for that there is `ControlledBackend`.
 *
 * @example
 * ```ts
 * import { MemoryBackend } from "effect-larder"
 * import { cacheBackendConformance } from "effect-larder/testing"
 * import { describe, it } from "node:test"
 *
 * cacheBackendConformance("my backend", MemoryBackend.make(), { describe, it })
 * ```
 *
 * @since 0.1.0
 * @category conformance
 */
export const cacheBackendConformance = <E>(
  name: string,
  backend: Effect.Effect<CacheBackend, E, Scope.Scope>,
  tests: TestRunner,
  options: CacheBackendConformanceOptions = {}
): void =>
  register(
    tests,
    name,
    [values, lives, leases, writes, scans, pushes, model(options.seed)],
    makeSubject(backend)
  )
