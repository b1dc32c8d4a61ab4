/**
 * Holds any layer of `DistributedLock` to what the service promises.
 *
 * @since 0.1.0
 */
import type * as Layer from "effect/Layer"
import type { DistributedLock } from "../DistributedLock.js"
import { holding } from "./conformance/lock/holding.js"
import { makeSubject } from "./conformance/lock/subject.js"
import { waiting } from "./conformance/lock/waiting.js"
import { register, type TestRunner } from "./conformance/register.js"

/**
 * - `isShared`: whether two builds of the layer are like two processes, which see each
 *   other's locks; default true
 *
 * @since 0.1.0
 * @category models
 */
export interface LockConformanceOptions {
  readonly isShared?: boolean | undefined
}

/**
 * Registers the tests that a layer of `DistributedLock` has to pass, with the
 * `describe` and `it` of whatever runner you have. Names are each test's own. Time is
 * real, some seconds in all.
 *
 * @example
 * ```ts
 * import { MemoryLock } from "effect-larder"
 * import { lockConformance } from "effect-larder/testing"
 * import { describe, it } from "node:test"
 *
 * lockConformance("locks in memory", MemoryLock.layer, { describe, it }, { isShared: false })
 * ```
 *
 * @since 0.1.0
 * @category conformance
 */
export const lockConformance = <E>(
  name: string,
  layer: Layer.Layer<DistributedLock, E>,
  tests: TestRunner,
  { isShared = true }: LockConformanceOptions = {}
): void =>
  register(
    tests,
    name,
    [
      { name: "holding", cases: holding },
      { name: "waiting", cases: waiting }
    ],
    makeSubject(layer, isShared)
  )
