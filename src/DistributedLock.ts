/**
 * A lock across processes.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Held, LockOptions } from "./core/claim.js"
import * as Core from "./core/lock.js"
import type { AcquireError, WaitOptions } from "./core/queueing.js"
import type { LockBackend, LockLost, LockUnavailable } from "./port/LockBackend.js"

export type { Held, LockOptions } from "./core/claim.js"
export type { WaitOptions } from "./core/queueing.js"

/**
 * A lock across processes: at most one holder of a name at a time, as long as its
 * server keeps what it is told and nobody stands still.
 *
 * No lock can promise more. A holder that is paused, by its host or by its own
 * garbage, may go on after others have been granted the lock, and will be told so
 * late; a server that loses data may grant it twice. So whatever must not be
 * written twice checks the `fence`, which grows with every grant: a row that
 * remembers the highest it has seen refuses what comes with a lower one.
 *
 * Those who wait are granted it in the order in which they came, within a process and
 * the processes among themselves; where a holder has vanished, whoever asks first.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { DistributedLock, MemoryLock } from "effect-larder"
 *
 * const nightly = Effect.log("one process does this at a time")
 *
 * const program = nightly.pipe(DistributedLock.withLock("nightly", { wait: "1 minute" }))
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryLock.layer)))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class DistributedLock extends Context.Tag("effect-larder/DistributedLock")<
  DistributedLock,
  Core.Service
>() {
  /**
   * The lock, if nobody holds it, until the scope closes. Waits for nobody.
   *
   * Fails with `LockUnavailable` if the server does not say; it may then be held for
   * one duration by nobody. A wrong option is a defect.
   *
   * @since 0.1.0
   */
  static readonly tryAcquire = (
    name: string,
    options?: LockOptions
  ): Effect.Effect<Option.Option<Held>, LockUnavailable, Scope.Scope | DistributedLock> =>
    Effect.flatMap(DistributedLock, (lock) => lock.tryAcquire(name, options))

  /**
   * The lock, until the scope closes. Waits for its turn, at most `wait`. One question
   * that the server does not answer ends the wait with `LockUnavailable`.
   *
   * Nothing interrupts the holder of a lock that is lost: race what it does with
   * `held.lost`, or use `withLock`. To ask for a lock that the same fiber holds is to
   * wait for oneself: it ends with `LockTimeout`.
   *
   * @since 0.1.0
   */
  static readonly acquire = (
    name: string,
    options?: WaitOptions
  ): Effect.Effect<Held, AcquireError, Scope.Scope | DistributedLock> =>
    Effect.flatMap(DistributedLock, (lock) => lock.acquire(name, options))

  /**
   * Runs an effect under the lock, and gives it back. If the lock is lost the effect
   * is interrupted, at most one renewal later, and once it has ended this fails with
   * `LockLost`. What cannot be interrupted goes on to its end, without the lock. What the
   * effect forks is interrupted when it ends: it runs in a fiber of its own.
   *
   * @since 0.1.0
   */
  static readonly withLock =
    (name: string, options?: WaitOptions) =>
    <A, E, R>(
      self: Effect.Effect<A, E, R>
    ): Effect.Effect<A, E | AcquireError | LockLost, R | DistributedLock> =>
      Effect.flatMap(DistributedLock, (lock) => lock.withLock(name, options)(self))

  /**
   * Over a store of your own. It promises no more than the store keeps: `lockConformance`
   * of `effect-larder/testing` holds a layer to the rules.
   *
   * @since 0.1.0
   */
  static readonly fromBackend = (backend: LockBackend): Layer.Layer<DistributedLock> =>
    Layer.scoped(DistributedLock, Core.make(backend))
}
