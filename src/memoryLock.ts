/**
 * Locks in this process, for tests and for programs that are one process.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DistributedLock } from "./DistributedLock.js"
import * as MemoryLockBackend from "./memory/MemoryLockBackend.js"

/**
 * Locks among the fibers of this process. Each build of this layer has locks of its
 * own. Times are Effect's `Clock`: with `TestClock`, locks run out when it is told to.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { DistributedLock, MemoryLock } from "effect-larder"
 *
 * const program = DistributedLock.withLock("import")(Effect.log("one at a time"))
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryLock.layer)))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DistributedLock> = Layer.unwrapEffect(
  Effect.map(MemoryLockBackend.make, DistributedLock.fromBackend)
)
