/**
 * Getting the right to run the creator of one key, across processes.
 *
 * A waiter sits through at most one lease that is announced as ended without a
 * usable value, and besides that at most one that vanished unannounced. If it
 * then finds the key held again, it runs the creator without a lease: a failing
 * creator makes no convoy, and frequent invalidations starve nobody.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import type { LeaseReply, LeaseRequest } from "../policy/lease.js"
import { type Encoded, headerText } from "../policy/envelope.js"
import { decodeAtOnce, decodeBySchema, type Decoded, isUsable } from "./codec.js"
import { fullKey, type L2, type Path, tick } from "./path.js"
import type { Reader, Reply } from "./gather.js"
import type { Entry } from "./l1.js"
import type { Rebuild } from "./rebuild.js"
import { readingOf, type Request } from "./request.js"
import { fromL2 } from "./entry.js"
import { now, unsafeNow } from "../port/monotonic.js"
import type { Listener } from "./waiting.js"

/** Leave to run the creator. */
export type Leave =
  /** With the lease: the commit may be sent with this token. */
  | { readonly _tag: "Granted"; readonly token: string; readonly isFaulted: false }
  /** Without: what it gives is shared in this process, and not stored in L2. */
  | { readonly _tag: "Leaseless"; readonly isFaulted: boolean }

export type Acquired =
  /** Someone else has stored: here it is, for those who came before `upTo`. */
  | { readonly _tag: "Value"; readonly entry: Entry; readonly upTo: number }
  | Leave
  /** A refresh that nobody needs any more. */
  | { readonly _tag: "Declined" }

export const leaseless: Leave = { _tag: "Leaseless", isFaulted: false }
/** After a fault nobody in the flight sends another command. */
const faulted: Leave = { _tag: "Leaseless", isFaulted: true }

/** What a waiter has lived through. */
interface Patience {
  readonly awaited: string | undefined
  readonly hasSeenVanish: boolean
}

/** One who asks, from the first question to the answer. */
interface Asking {
  readonly path: Path
  readonly l2: L2
  readonly rebuild: Rebuild
  readonly first: Request
  readonly listener: Listener
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
    const patience: Patience = { awaited: undefined, hasSeenVanish: false }
    return Effect.matchCauseEffect(attempt({ path, l2, rebuild, first, listener }, patience), {
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
  Effect.suspend(() => {
    const { first, l2, listener, path, rebuild } = asking
    // ◆ Asked before every command: the miss that led here may have been read
    // before the invalidation that is pending now was called.
    if (l2.pending.has(rebuild.key)) return Effect.succeed(leaseless)
    const token = l2.nextToken()
    const sentAt = tick(path)
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
            return take(asking, reply.stored, sentAt, attempt(asking, patience))
          case "Held":
            return sitThrough(asking, patience, reply)
          case "Granted": {
            const { awaited } = patience
            if (awaited !== undefined && reply.ended !== awaited) {
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
  const giveBack = Effect.ignore(l2.backend.release(fullKey(path, rebuild.key), token))
  if (Cause.isInterrupted(cause)) return Effect.zipRight(giveBack, Effect.interrupt)
  first.tally.backendErrors++
  return path.log
    .fault("lease", Cause.squash(cause))
    .pipe(
      Effect.zipRight(Effect.forkIn(Effect.interruptible(giveBack), path.scope)),
      Effect.as(faulted)
    )
}

const take = (
  { first, l2 }: Asking,
  stored: Encoded,
  sentAt: number,
  again: Effect.Effect<Acquired>
): Effect.Effect<Acquired> => {
  const use = (decoded: Decoded): Effect.Effect<Acquired> => {
    if (isUsable(decoded)) {
      const entry = fromL2(l2, decoded, unsafeNow(first.fiber))
      return Effect.succeed({ _tag: "Value", entry, upTo: sentAt })
    }
    first.tally.decodeErrors++
    // Rejected, and handed over again: what this process decodes is not what the
    // server compares. Asking on would go on for ever.
    const header = headerText(stored)
    if (first.reject === header) return Effect.succeed(leaseless)
    first.reject = header
    return again
  }
  const reading = readingOf(l2.codec, first)
  const decoded = decodeAtOnce(stored, reading)
  return decoded === undefined
    ? Effect.flatMap(Effect.interruptible(decodeBySchema(stored, reading)), use)
    : use(decoded)
}

const sitThrough = (
  asking: Asking,
  { awaited, hasSeenVanish }: Patience,
  held: Extract<LeaseReply, { _tag: "Held" }>
): Effect.Effect<Acquired> =>
  Effect.flatMap(now, (time) => {
    const { first, listener, rebuild } = asking
    if (awaited === undefined) first.tally.waits++
    const hasEnded = awaited !== undefined && awaited !== held.token
    const isAnnounced = hasEnded && held.ended === awaited
    if (hasEnded && (isAnnounced || hasSeenVanish)) return Effect.succeed(leaseless)
    if (time >= rebuild.waitUntil) return Effect.succeed(leaseless)
    const again = attempt(asking, {
      awaited: held.token,
      hasSeenVanish: hasSeenVanish || hasEnded
    })
    let sentAt = 0
    const look = (reader: Reader): boolean => {
      sentAt = tick(asking.path)
      return readStored(asking, reader)
    }
    return Effect.flatMap(
      Effect.interruptible(listener.untilEnded(held.token, rebuild.waitUntil - time, look)),
      (reply) => (reply === undefined ? again : takeReply(asking, reply, sentAt, again))
    )
  })

/** What was said to be stored, by the cheapest way: who misses it asks for the lease. */
const readStored = ({ first, l2, rebuild }: Asking, reader: Reader): boolean => {
  // ◆ As before every command.
  if (l2.pending.has(rebuild.key)) return false
  l2.gather.read(rebuild.key, first.fiber, reader)
  return true
}

const takeReply = (
  asking: Asking,
  reply: Reply,
  sentAt: number,
  again: Effect.Effect<Acquired>
): Effect.Effect<Acquired> => {
  switch (reply._tag) {
    case "Closed":
      return Effect.interrupt
    case "Fault":
      return Effect.as(asking.path.log.fault("read", reply.error), faulted)
    case "Stored":
      return reply.stored === undefined ? again : take(asking, reply.stored, sentAt, again)
  }
}
