/**
 * What one who asks for a lease may be given in its place: the value that another
 * process has stored, from the step that grants leases or read after a push.
 */
import * as Effect from "effect/Effect"
import { type Encoded, headerText } from "../policy/envelope.js"
import { unsafeNow } from "../port/monotonic.js"
import { decodeAtOnce, decodeBySchema, type Decoded, isUsable } from "./codec.js"
import { fromL2 } from "./entry.js"
import type { Reply } from "./gather.js"
import type { Entry } from "./l1.js"
import { type L2, type Path, tick } from "./path.js"
import type { Rebuild } from "./rebuild.js"
import { readingOf, type Request } from "./request.js"
import type { Listener, Look } from "./waiting.js"

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
export const faulted: Leave = { _tag: "Leaseless", isFaulted: true }

/** One who asks, from the first question to the answer. */
export interface Asking {
  readonly path: Path
  readonly l2: L2
  readonly rebuild: Rebuild
  readonly first: Request
  readonly listener: Listener
}

/** The step that grants leases has handed it out, so it is fresh. */
export const takeOffered = (
  asking: Asking,
  stored: Encoded,
  sentAt: number,
  again: Effect.Effect<Acquired>
): Effect.Effect<Acquired> => take(asking, stored, sentAt, again, () => true)

/** What a look has found, and when it was asked for. */
interface Found {
  readonly reply: Reply
  readonly sentAt: number
}

/** Reads what is said to be stored: of all ways the cheapest, for a process and for the server. */
export const lookFor =
  ({ l2, path, rebuild: { key } }: Asking): Look<Found> =>
  ({ reason }, fiber, found) => {
    if (reason !== "stored" || l2.pending.has(key)) return false
    const sentAt = tick(path)
    l2.gather.read(key, fiber, { take: (reply) => found({ reply, sentAt }) })
    return true
  }

/** By now it may be gone, or have expired: who finds nothing fresh asks again. */
export const takeFound = (
  asking: Asking,
  { reply, sentAt }: Found,
  again: Effect.Effect<Acquired>
): Effect.Effect<Acquired> => {
  switch (reply._tag) {
    /* v8 ignore next 2 -- a cache that closes ends its rebuilds before its reads. @preserve */
    case "Closed":
      return Effect.interrupt
    case "Fault":
      return Effect.as(asking.path.log.fault("read", reply.error), faulted)
    case "Stored":
      return reply.stored === undefined
        ? again
        : take(asking, reply.stored, sentAt, again, ({ expiresAt }, now) => now < expiresAt)
  }
}

const take = (
  { first, l2 }: Asking,
  stored: Encoded,
  sentAt: number,
  again: Effect.Effect<Acquired>,
  isWanted: (entry: Entry, now: number) => boolean
): Effect.Effect<Acquired> => {
  const use = (decoded: Decoded): Effect.Effect<Acquired> => {
    if (isUsable(decoded)) {
      const now = unsafeNow(first.fiber)
      const entry = fromL2(l2, decoded, now)
      return isWanted(entry, now) ? Effect.succeed({ _tag: "Value", entry, upTo: sentAt }) : again
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
