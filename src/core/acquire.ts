/**
 * Getting the right to run the creator of one key, across processes.
 *
 * A waiter sits through at most one lease that is announced as ended without a
 * usable value, and besides that at most one that vanished unannounced. If it
 * then finds the key held again, it runs the creator without a lease: a failing
 * creator makes no convoy, and frequent invalidations starve nobody.
 *
 * One that is said to have stored has not vanished, nor one that is gone sooner than it can
 * have run out: its value was replaced before the waiter looked. Of those it sits through a few.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import type { LeaseReply, LeaseRequest } from "../policy/lease.js"
import { countFault } from "./log.js"
import { fullKey, isBypassed, type L2, type Path, tick } from "./path.js"
import type { Rebuild } from "./rebuild.js"
import type { Request } from "./request.js"
import { now, unsafeNow } from "../port/monotonic.js"
import {
  type Acquired,
  type Asking,
  faulted,
  leaseless,
  lookFor,
  takeFound,
  takeOffered
} from "./offered.js"

/** So many leases whose values were replaced too soon; then frequent writes have cost enough. */
const maxMissed = 3

/** What a waiter has lived through. Times are monotonic milliseconds. */
interface Patience {
  readonly awaited: string | undefined
  /** When the question was asked that was answered with it last. */
  readonly askedAt: number
  /** When the one was that was answered with another; -Infinity: there was none. */
  readonly grantedAfter: number
  readonly hasSeenVanish: boolean
  readonly missed: number
}

const fresh: Patience = {
  awaited: undefined,
  askedAt: -Infinity,
  grantedAfter: -Infinity,
  hasSeenVanish: false,
  missed: 0
}

/**
 * For an uninterruptible region, and itself so but for each wait: a grant that
 * was read must not be dropped on the way out.
 */
export const acquire = (
  path: Path,
  l2: L2,
  rebuild: Rebuild,
  first: Request
): Effect.Effect<Acquired> =>
  Effect.suspend(() => {
    const listener = l2.waiters.listen(fullKey(path, rebuild.key))
    return Effect.matchCauseEffect(attempt({ path, l2, rebuild, first, listener }, fresh), {
      onFailure: (cause) => {
        listener.close()
        return Effect.failCause(cause)
      },
      onSuccess: (acquired) => {
        listener.close()
        return Effect.succeed(acquired)
      }
    })
  })

const attempt = (asking: Asking, patience: Patience): Effect.Effect<Acquired> =>
  Effect.withFiberRuntime((fiber) => {
    const { first, l2, listener, path, rebuild } = asking
    // ◆ Asked before every command: the miss that led here may have been read
    // before the invalidation that is pending now was called.
    if (isBypassed(l2, rebuild.key)) return Effect.succeed(leaseless)
    const token = l2.nextToken()
    const sentAt = tick(path)
    const askedAt = unsafeNow(fiber)
    listener.reset()
    const request = l2.backend.lease(fullKey(path, rebuild.key), ask(asking, token))
    return Effect.matchCauseEffect(Effect.interruptible(request), {
      onFailure: (cause) => giveUp(asking, token, cause),
      onSuccess: (reply) => {
        if (first.isUnread) l2.odds.saw(reply._tag === "Value")
        // Once a lookup, however often it asks.
        first.isUnread = false
        switch (reply._tag) {
          case "Declined":
            return Effect.succeed(reply)
          case "Value":
            return takeOffered(asking, reply.stored, sentAt, attempt(asking, patience))
          case "Held":
            return sitThrough(asking, patience, reply, askedAt)
          case "Granted": {
            const { awaited } = patience
            const isOver = awaited === undefined || reply.ended === awaited
            if (!isOver && !listener.hasStored(awaited)) {
              first.tally.takeovers++
              path.events.emit({ _tag: "takeover", key: rebuild.key })
            }
            return Effect.succeed({ _tag: "Granted", token, isFaulted: false } as const)
          }
        }
      }
    })
  })

const ask = ({ first, path, rebuild }: Asking, token: string): LeaseRequest => {
  const duration = path.defaults.leaseDuration
  switch (rebuild.intent) {
    case "refresh":
      return { token, duration, intent: "refresh", seen: rebuild.seen }
    case "replace":
      return { token, duration, intent: "replace" }
    default:
      return { token, duration, intent: "read", reject: first.reject }
  }
}

/**
 * The reply is unknown: the lease may have been granted all the same, or may be
 * yet. The token is given back, and never used again: behind after a fault, for
 * nobody waits for a server that is silent; before going, for one who leaves.
 */
const giveUp = (
  { first, l2, path, rebuild }: Asking,
  token: string,
  cause: Cause.Cause<BackendError>
): Effect.Effect<Acquired> => {
  const giveBack = Effect.exit(l2.backend.release(fullKey(path, rebuild.key), token))
  // One who leaves goes no further. A backend that interrupts itself is a fault like others.
  if (Cause.isInterrupted(cause)) {
    return Effect.as(Effect.zipRight(giveBack, Effect.allowInterrupt), faulted)
  }
  return countFault(path, first.tally, "lease", cause).pipe(
    Effect.zipRight(Effect.forkIn(Effect.interruptible(giveBack), path.scope)),
    Effect.as(faulted)
  )
}

type Held = Extract<LeaseReply, { _tag: "Held" }>

/** What it has lived through by now; undefined: enough. */
const endure = (
  patience: Patience,
  { ended, token }: Held,
  askedAt: number,
  isMissed: (token: string) => boolean
): Patience | undefined => {
  const { awaited, hasSeenVanish, missed } = patience
  if (awaited === undefined) return { ...fresh, awaited: token, askedAt }
  if (awaited === token) return { ...patience, askedAt }
  if (ended === awaited) return undefined
  const next = { ...patience, awaited: token, askedAt, grantedAfter: patience.askedAt }
  if (isMissed(awaited)) {
    return missed < maxMissed ? { ...next, missed: missed + 1 } : undefined
  }
  return hasSeenVanish ? undefined : { ...next, hasSeenVanish: true }
}

const sitThrough = (
  asking: Asking,
  patience: Patience,
  held: Held,
  askedAt: number
): Effect.Effect<Acquired> =>
  Effect.flatMap(now, (time) => {
    const { first, listener, path, rebuild } = asking
    if (patience.awaited === undefined) first.tally.waits++
    // What was granted before this may have run out. Another process's leases may be
    // shorter than ours: then a crash may pass for a value that was missed, and is one of a few.
    const runOutBefore = time - path.defaults.leaseDuration
    const isMissed = (token: string) =>
      listener.hasStored(token) || patience.grantedAfter > runOutBefore
    const next = endure(patience, held, askedAt, isMissed)
    if (next === undefined || time >= rebuild.waitUntil) return Effect.succeed(leaseless)
    const again = attempt(asking, next)
    const wait = listener.untilEnded(held.token, rebuild.waitUntil - time, lookFor(asking))
    return Effect.flatMap(Effect.interruptible(wait), (found) =>
      found === undefined ? again : takeFound(asking, found, again)
    )
  })
