/**
 * Getting a lock, keeping it, and giving it back.
 *
 * Of the fibers in this process that want a lock, one asks for it at a time, and has
 * a place in the backend's queue. It is woken when its turn comes, and polls besides.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import {
  type LockBackend,
  LockLost,
  type LockReply,
  LockTimeout,
  LockUnavailable
} from "../port/LockBackend.js"
import type { BackendError } from "../port/CacheBackend.js"
import { now } from "../port/monotonic.js"
import { millis, wrong } from "./option.js"
import { type Held as Renewed, Renewals, type Terms } from "./renewal.js"
import { tokens } from "./tokens.js"
import { type Restore, Turns } from "./turns.js"
import { type Listener, Waiters } from "./waiting.js"

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
 * `wait`: the longest wait for others who hold it; default 5 seconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface WaitOptions extends LockOptions {
  readonly wait?: Duration.DurationInput | undefined
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

export type AcquireError = LockTimeout | LockUnavailable

export interface Service {
  readonly tryAcquire: (
    name: string,
    options?: LockOptions
  ) => Effect.Effect<Option.Option<Held>, LockUnavailable, Scope.Scope>
  readonly acquire: (
    name: string,
    options?: WaitOptions
  ) => Effect.Effect<Held, AcquireError, Scope.Scope>
  readonly withLock: (
    name: string,
    options?: WaitOptions
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | AcquireError | LockLost, R>
}

/** What is going on over one backend. */
interface Locks {
  readonly backend: LockBackend
  readonly scope: Scope.Scope
  readonly turns: Turns
  readonly waiters: Waiters
  readonly renewals: Renewals<Deferred.Deferred<never, LockLost>>
  readonly nextToken: () => string
}

/** One attempt of one fiber. */
interface Claim {
  readonly locks: Locks
  readonly name: string
  readonly token: string
  readonly terms: Terms
}

/** What must be given back. */
interface Grant {
  readonly _tag: "Granted"
  readonly claim: Claim
  readonly held: Held
  readonly renewed: Renewed<Deferred.Deferred<never, LockLost>>
}

type Answer = Grant | Extract<LockReply, { readonly _tag: "Held" }>

export const make = (backend: LockBackend): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const waiters = new Waiters()
    const locks: Locks = {
      backend,
      scope,
      waiters,
      turns: new Turns(),
      renewals: new Renewals(
        yield* Effect.clock,
        {
          renew: ({ key, terms, token }) =>
            Effect.suspend(() => backend.renew(key, token, terms.lasts)),
          onFault: ({ key }, cause) =>
            Effect.logDebug(`The lock ${JSON.stringify(key)} could not be renewed`, cause),
          onLost: ({ key, owner }, reason) =>
            Deferred.unsafeDone(owner, new LockLost({ name: key, reason }))
        },
        (running) => run(running)
      ),
      nextToken: tokens()
    }
    yield* Scope.addFinalizer(scope, locks.renewals.stop)
    yield* Effect.catchAllCause(
      backend.subscribe((name, token) =>
        waiters.hear({ _tag: "Push", key: name, token, reason: "ended" })
      ),
      (cause) => Effect.logDebug("Who waits for a lock polls", cause)
    )
    return {
      tryAcquire: (name, options) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.suspend(() => ask(claimOf(locks, name, options), false)),
            (answer) => (answer._tag === "Held" ? Effect.void : letGo(answer))
          ),
          (answer) => (answer._tag === "Held" ? Option.none() : Option.some(answer.held))
        ),
      acquire: (name, options) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.map(
            Effect.acquireRelease(waitFor(locks, name, options, restore), letGo),
            ({ held }) => held
          )
        ),
      withLock: (name, options) => (self) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.acquireUseRelease(
            waitFor(locks, name, options, restore),
            // Where the caller cannot be interrupted, nor can the body: but the wait must end.
            ({ held }) => restore(Effect.raceFirst(self, Effect.interruptible(held.lost))),
            letGo
          )
        )
    }
  })

/** Throws where an option is wrong: a defect of whoever wrote it. */
const claimOf = (locks: Locks, name: string, options: LockOptions = {}): Claim => {
  const lasts = millis("duration", options.duration, 10_000)
  if (!(lasts >= 1 && lasts < Infinity)) {
    throw wrong("duration", lasts, "at least 1 millisecond, and finite")
  }
  const every = options.renew === false ? Infinity : lasts / 3
  return { locks, name, token: locks.nextToken(), terms: { every, lasts, maxHold: Infinity } }
}

/** The lock, or who has it for how long. In an uninterruptible region: a grant is kept. */
const ask = (claim: Claim, isWaiting: boolean): Effect.Effect<Answer, LockUnavailable> =>
  Effect.flatMap(now, (askedAt) => {
    const { locks, name, terms, token } = claim
    const request = { token, duration: terms.lasts, isWaiting }
    return Effect.matchCauseEffect(
      Effect.suspend(() => locks.backend.acquire(name, request)),
      {
        onFailure: (cause) => giveUp(claim, cause),
        onSuccess: (reply) =>
          Effect.succeed(reply._tag === "Held" ? reply : granted(claim, reply.fence, askedAt))
      }
    )
  })

/** The server may have granted it when it was asked for, and reckons from then. */
const granted = (claim: Claim, fence: bigint, askedAt: number): Grant => {
  const { locks, name, terms, token } = claim
  const lost = Deferred.unsafeMake<never, LockLost>(FiberId.none)
  return {
    _tag: "Granted",
    claim,
    held: { name, token, fence, lost: Deferred.await(lost) },
    renewed: locks.renewals.hold(name, token, lost, terms, askedAt)
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
    Effect.forkIn(Effect.interruptible(giveBack(claim)), claim.locks.scope),
    Effect.failCause(Cause.map(cause, (cause) => new LockUnavailable({ name: claim.name, cause })))
  )

/** Never fails: what is not given back runs out by itself. */
const giveBack = ({ locks, name, token }: Claim): Effect.Effect<void> =>
  Effect.catchAllCause(
    Effect.suspend(() => locks.backend.release(name, token)),
    (cause) => Effect.logDebug(`The lock ${JSON.stringify(name)} could not be released`, cause)
  )

const letGo = ({ claim, renewed }: Grant): Effect.Effect<void> =>
  Effect.suspend(() => {
    claim.locks.renewals.letGo(renewed)
    return giveBack(claim)
  })

/** For an uninterruptible region, but for each wait. */
const waitFor = (
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
      ? Effect.zipRight(giveBack(claim), new LockTimeout({ name, wait }))
      : Effect.onInterrupt(restore(listener.untilEnded(token, patience)), () =>
          giveBack(claim)
        ).pipe(Effect.zipRight(inQueue(waiting)))
  })
