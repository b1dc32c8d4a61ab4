/**
 * What a store does that keeps distributed locks: the port, and what may go wrong.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { LockReply, LockRequest } from "../policy/lock.js"
import { BackendError } from "./CacheBackend.js"

export type { LockReply, LockRequest } from "../policy/lock.js"

/**
 * Others held the lock for as long as the caller was ready to wait.
 *
 * @since 0.1.0
 * @category errors
 */
export class LockTimeout extends Schema.TaggedError<LockTimeout>("effect-larder/LockTimeout")(
  "LockTimeout",
  {
    name: Schema.String,
    /** How long that was, in milliseconds. */
    wait: Schema.Number
  }
) {
  override get message(): string {
    return `The lock ${JSON.stringify(this.name)} was not to be had within ${this.wait} ms`
  }
}

/**
 * Whoever held the lock holds it no more, though it was not released: others may.
 *
 * - `Silent`: no renewal has been confirmed for a whole duration. The process was
 *   paused or busy, or the server was not to be reached
 * - `Taken`: the server says that it is not ours: it was removed, or has run out
 * - `Closed`: the layer has ended, and nothing renews it any more
 *
 * @since 0.1.0
 * @category errors
 */
export class LockLost extends Schema.TaggedError<LockLost>("effect-larder/LockLost")("LockLost", {
  name: Schema.String,
  reason: Schema.Literal("Silent", "Taken", "Closed")
}) {
  override get message(): string {
    return `The lock ${JSON.stringify(this.name)} is lost (${this.reason})`
  }
}

/**
 * The store of the locks does not answer, or refuses: whether the lock is free is
 * not known. Unlike a cache, a lock cannot go on without.
 *
 * @since 0.1.0
 * @category errors
 */
export class LockUnavailable extends Schema.TaggedError<LockUnavailable>(
  "effect-larder/LockUnavailable"
)("LockUnavailable", { name: Schema.String, cause: BackendError }) {
  override get message(): string {
    return `Whether the lock ${JSON.stringify(this.name)} is free is not known: ${this.cause.message}`
  }
}

/**
 * A store in which processes keep their locks.
 *
 * `acquire`, `renew` and `release` are atomic, and follow the transitions of
 * `policy/lock.ts`. Durations are milliseconds. Every command settles by itself
 * within a time that the backend bounds. A command whose fiber is interrupted may
 * have been executed, or may be yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface LockBackend {
  readonly name: string
  /** Asks for a lock; with `isWaiting` for a place in its queue, too. */
  readonly acquire: (name: string, request: LockRequest) => Effect.Effect<LockReply, BackendError>
  /** Prolongs a lock that is still ours; `false`: it is not. Never creates one. */
  readonly renew: (
    name: string,
    token: string,
    duration: number
  ) => Effect.Effect<boolean, BackendError>
  /** Gives up a lock, a turn, or a place in the queue; `false`: no lock was ours. */
  readonly release: (name: string, token: string) => Effect.Effect<boolean, BackendError>
  /**
   * Tells whose turn it is, by the token of who waits, until the scope closes.
   * Whoever does not hear of it asks again before long.
   */
  readonly subscribe: (
    handler: (name: string, token: string) => void
  ) => Effect.Effect<void, BackendError, Scope.Scope>
}
