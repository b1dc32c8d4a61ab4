/** One attempt to get a lock: asking for it, and giving back what may have been granted. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { BackendError } from "../port/CacheBackend.js"
import {
  type LockBackend,
  type LockLost,
  type LockReply,
  LockUnavailable
} from "../port/LockBackend.js"
import { nowOf } from "../port/monotonic.js"
import { Loss } from "./loss.js"
import { millis, wrong } from "./option.js"
import type { Held as Renewed, Renewals, Terms } from "./renewal.js"
import type { Turns } from "./turns.js"
import type { Waiters } from "./waiting.js"

/**
 * - `duration`: how long the lock outlives the last sign of life of its holder;
 *   default 10 seconds
 * - `renew`: it is renewed while it is held, at a third of `duration`; default true.
 *   Otherwise it is lost after one duration
 *
 * @since 0.1.0
 * @category models
 */
export interface LockOptions {
  readonly duration?: Duration.DurationInput | undefined
  readonly renew?: boolean | undefined
}

/**
 * A lock that is held, until the scope closes in which it was asked for.
 *
 * - `token`: of this grant alone
 * - `fence`: grows with every grant of this lock. What the lock guards remembers the
 *   highest it has seen, and refuses what comes with a lower one
 * - `lost`: fails once the lock is held no more, though it was not released; does not
 *   end otherwise. It may be late by as long as the process stands still
 *
 * @since 0.1.0
 * @category models
 */
export interface Held {
  readonly name: string
  readonly token: string
  readonly fence: bigint
  readonly lost: Effect.Effect<never, LockLost>
}

/** What is going on over one backend. */
export interface Locks {
  readonly backend: LockBackend
  readonly clock: Clock.Clock
  readonly scope: Scope.Scope
  readonly turns: Turns
  readonly waiters: Waiters
  readonly renewals: Renewals<Loss>
  readonly nextToken: () => string
}

/** One attempt of one fiber. */
export interface Claim {
  readonly locks: Locks
  readonly name: string
  readonly token: string
  readonly terms: Terms
}

/** What must be given back. */
export interface Grant {
  readonly _tag: "Granted"
  readonly claim: Claim
  readonly held: Held
  readonly renewed: Renewed<Loss>
}

export type Answer = Grant | Extract<LockReply, { readonly _tag: "Held" }>

/** Throws where an option is wrong: a defect of whoever wrote it. */
export const claimOf = (locks: Locks, name: string, options: LockOptions = {}): Claim => {
  const lasts = millis("duration", options.duration, 10_000)
  if (!(lasts >= 1 && lasts < Infinity)) {
    throw wrong("duration", lasts, "at least 1 millisecond, and finite")
  }
  const every = options.renew === false ? Infinity : lasts / 3
  const terms = { every, retry: every / 4, lasts, maxHold: Infinity }
  return { locks, name, token: locks.nextToken(), terms }
}

/** The lock, or for how long others have it. In an uninterruptible region: a grant is kept. */
export const ask = (claim: Claim, isWaiting: boolean): Effect.Effect<Answer, LockUnavailable> =>
  Effect.suspend(() => {
    const { locks, name, terms, token } = claim
    const askedAt = nowOf(locks.clock)
    return Effect.matchCauseEffect(
      locks.backend.acquire(name, { token, duration: terms.lasts, isWaiting }),
      {
        onFailure: (cause) => giveUp(claim, cause),
        onSuccess: (reply): Effect.Effect<Answer, LockUnavailable> => {
          if (reply._tag === "Held") return Effect.succeed(reply)
          // What has been granted may have run out by now: that is no answer in time.
          return nowOf(locks.clock) < askedAt + terms.lasts
            ? Effect.succeed(granted(claim, reply.fence, askedAt))
            : giveUp(claim, Cause.fail(tooLate(locks.backend)))
        }
      }
    )
  })

const tooLate = ({ name }: LockBackend): BackendError =>
  new BackendError({ backend: name, command: "acquire", reason: "Timeout" })

/** The server may have granted it when it was asked for, and reckons from then. */
const granted = (claim: Claim, fence: bigint, askedAt: number): Grant => {
  const { locks, name, terms, token } = claim
  const loss = new Loss()
  return {
    _tag: "Granted",
    claim,
    held: { name, token, fence, lost: loss.happens },
    renewed: locks.renewals.hold(name, token, loss, terms, askedAt)
  }
}

/**
 * The reply is unknown: the lock may have been granted all the same, or may be yet.
 * The token is given back behind, for nobody waits for a server that is silent, and
 * is never used again.
 */
const giveUp = (
  claim: Claim,
  cause: Cause.Cause<BackendError>
): Effect.Effect<never, LockUnavailable> =>
  Effect.zipRight(
    Effect.forkIn(Effect.interruptible(leave(claim)), claim.locks.scope),
    Effect.failCause(Cause.map(cause, (cause) => new LockUnavailable({ name: claim.name, cause })))
  )

/** Never fails: what is not given back runs out by itself. */
export const giveBack = (backend: LockBackend, name: string, token: string): Effect.Effect<void> =>
  Effect.catchAllCause(backend.release(name, token), (cause) =>
    Effect.logDebug(`The lock ${JSON.stringify(name)} could not be released`, cause)
  )

export const leave = ({ locks, name, token }: Claim): Effect.Effect<void> =>
  giveBack(locks.backend, name, token)

export const letGo = ({ claim, renewed }: Grant): Effect.Effect<void> =>
  Effect.suspend(() => {
    claim.locks.renewals.letGo(renewed)
    return leave(claim)
  })
