/**
 * Waiting for a lock.
 *
 * Of the fibers in this process that want it, one asks at a time, and has a place in
 * the backend's queue. It is woken when its turn comes, and polls besides.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { LockTimeout, type LockUnavailable } from "../port/LockBackend.js"
import { now } from "../port/monotonic.js"
import {
  ask,
  type Claim,
  claimOf,
  type Grant,
  leave,
  type LockOptions,
  type Locks
} from "./claim.js"
import { millis } from "./option.js"
import type { Restore } from "./turns.js"
import type { Listener } from "./waiting.js"

/**
 * `wait`: the longest wait for others who hold it; default 5 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface WaitOptions extends LockOptions {
  readonly wait?: Duration.DurationInput | undefined
}

export type AcquireError = LockTimeout | LockUnavailable

/** For an uninterruptible region, but for each wait. */
export const waitFor = (
  locks: Locks,
  name: string,
  options: WaitOptions = {},
  restore: Restore
): Effect.Effect<Grant, AcquireError> =>
  Effect.flatMap(now, (cameAt) => {
    const claim = claimOf(locks, name, options)
    const wait = millis("wait", options.wait, 5_000)
    const { turns, waiters } = locks
    return Effect.flatMap(turns.take(name, wait, restore), (isOurs) => {
      if (!isOurs) return new LockTimeout({ name, wait })
      const listener = waiters.listen(name)
      return Effect.ensuring(
        inQueue({ claim, listener, wait, restore, deadline: cameAt + wait }),
        Effect.sync(() => {
          listener.close()
          turns.pass(name)
        })
      )
    })
  })

/** One who has the turn in this process. */
interface Waiting {
  readonly claim: Claim
  readonly listener: Listener
  readonly wait: number
  readonly deadline: number
  readonly restore: Restore
}

const inQueue = (waiting: Waiting): Effect.Effect<Grant, AcquireError> =>
  Effect.suspend(() => {
    const { claim, listener, wait } = waiting
    listener.reset()
    return Effect.flatMap(ask(claim, wait > 0), (answer) =>
      answer._tag === "Granted" ? Effect.succeed(answer) : sitThrough(waiting, answer.remaining)
    )
  })

/** Until it is our turn, or the lock runs out, or for a poll interval. */
const sitThrough = (waiting: Waiting, remaining: number): Effect.Effect<Grant, AcquireError> =>
  Effect.flatMap(now, (time) => {
    const { claim, deadline, listener, restore, wait } = waiting
    const { name, token } = claim
    // Whole milliseconds: a timer that rings a fraction early would find it held.
    const patience = Math.ceil(Math.min(deadline - time, remaining + 1))
    return deadline <= time
      ? Effect.zipRight(leave(claim), new LockTimeout({ name, wait }))
      : Effect.onInterrupt(restore(listener.untilEnded(token, patience)), () => leave(claim)).pipe(
          Effect.zipRight(inQueue(waiting))
        )
  })
