/**
 * The path of a lookup.
 *
 *     L1 fresh ─────────────────────────────► out       one node, synchronous
 *     L2 read, gathered with others of its tick        (skipped where misses are the rule)
 *        fresh ─────────────────────────────► fill L1, out
 *        stale, within its window ──────────► out now; rebuild behind
 *        otherwise ─► fly: join the rebuild of the key, or open one
 *                        lease ► creator ► commit        (lead.ts)
 *                        failed, or slow: what is stale may stand in (flight.ts)
 *
 * A cache without L2 flies where it would read. What a caller may be given is
 * decided by when it came, against when things were sent and began: whoever may
 * not have what its flight brought goes round again.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import { headerText } from "../policy/envelope.js"
import { isEarlyRefreshDue, isEarlyRefreshPossible } from "../policy/xfetch.js"
import { decodeAtOnce, decodeBySchema, type Decoded, isUsable } from "./codec.js"
import { fly, flyBehind, mayAskAtOnce } from "./flight.js"
import type { Read, Reader, Reply } from "./gather.js"
import type { Entry } from "./l1.js"
import { isSent } from "./log.js"
import { isBypassed, isNeverStored, type L2, type Path, tallyOf, tick } from "./path.js"
import { readable } from "./readable.js"
import {
  count,
  countCoalesced,
  type LookupOptions,
  readingOf,
  type Region,
  Request
} from "./request.js"
import { fromL2, identityOf } from "./entry.js"
import { fillL1 } from "./store.js"
import { unsafeNow } from "../port/monotonic.js"
import { isServedBehind, standsIn, takesStale } from "./stale.js"

type AnyExit = Effect.Effect<any, any>

export const getOrCreate = (
  path: Path,
  fiber: Fiber.RuntimeFiber<any, any>,
  region: Region,
  key: string,
  create: Effect.Effect<any, any, any>,
  options: LookupOptions<any>
): AnyExit => {
  const entry = path.l1?.get(key)
  if (entry !== undefined && options.refresh !== true) {
    const now = unsafeNow(fiber)
    if (now < entry.expiresAt && readable(entry, region, options.schema)) {
      const beta = options.beta ?? path.defaults.beta
      if (!isEarlyRefreshPossible(now, entry.createdAt, entry.expiresAt, entry.delta, beta)) {
        tallyOf(path, region).hits++
        return entry.exit
      }
    }
  }
  const tally = tallyOf(path, region)
  const request = new Request(fiber, region, tally, key, create, options, tick(path))
  request.saw = entry
  if (entry !== undefined) return travel(path, request)
  if (options.refresh === true) return refresh(path, request)
  return path.l2 === undefined ? rebuild(path, request, "read") : beyondL1(path, path.l2, request)
}

/** One round: from L1 to a value, or to a rebuild. */
const travel = (path: Path, request: Request): AnyExit =>
  Effect.suspend(() => {
    if (request.options.refresh === true) return refresh(path, request)
    const entry = (request.saw = path.l1?.get(request.key))
    const now = unsafeNow(request.fiber)
    // In front of a shared tier, ours may be stale where that one is not.
    if (entry !== undefined && (path.l2 === undefined || now < entry.expiresAt)) {
      const served = serve(path, request, entry, now)
      if (served !== undefined) return served
    }
    return path.l2 === undefined ? rebuild(path, request, "read") : beyondL1(path, path.l2, request)
  })

const beyondL1 = (path: Path, l2: L2, request: Request): AnyExit => {
  request.isUnread = false
  if (isBypassed(l2, request.key)) return bypass(path, request)
  if (request.isFaulted || isNeverStored(path, request.options)) {
    return rebuild(path, request, "leaseless")
  }
  // What is stale is for readers alone: who asks for the lease is not given it. Such a
  // lookup is counted when it is known what it found.
  request.isUnread = l2.odds.areBad && !takesStale(path, request) && mayAskAtOnce(path, request)
  return request.isUnread ? fly(path, request, "read", "", travel) : readL2(path, l2, request)
}

const bypass = (path: Path, request: Request): AnyExit => {
  count(request, "bypassed")
  return rebuild(path, request, "leaseless")
}

/** What an entry is good for, for this reader; undefined: nothing. */
const serve = (path: Path, request: Request, entry: Entry, now: number): AnyExit | undefined => {
  if (!readable(entry, request.region, request.options.schema)) {
    request.tally.decodeErrors++
    return undefined
  }
  if (now < entry.expiresAt) return serveFresh(path, request, entry, now)
  if (isServedBehind(path, request, entry, now)) {
    count(request, "stale")
    return Effect.zipRight(flyBehind(path, request, identityOf(entry)), entry.exit)
  }
  if (standsIn(path, request, entry, now)) request.inHand = entry
  return undefined
}

const serveFresh = (path: Path, request: Request, entry: Entry, now: number): AnyExit => {
  count(request, "hits")
  const beta = request.options.beta ?? path.defaults.beta
  const { createdAt, delta, expiresAt } = entry
  if (!isEarlyRefreshPossible(now, createdAt, expiresAt, delta, beta)) return entry.exit
  return Effect.flatMap(Random.next, (random) => {
    if (!isEarlyRefreshDue(expiresAt - now, delta, beta, random)) return entry.exit
    return path.rebuilds.has(request.key) ? entry.exit : refreshEarly(path, request, entry)
  })
}

/** The reader that fires has its value: it waits only where nothing may run behind. */
const refreshEarly = (path: Path, request: Request, entry: Entry): AnyExit => {
  request.tally.earlyRefreshes++
  path.events.emit({ _tag: "earlyRefresh", key: request.key })
  if (request.options.background !== false) {
    return Effect.zipRight(flyBehind(path, request, identityOf(entry)), entry.exit)
  }
  request.current = entry
  return fly(path, request, "refresh", identityOf(entry), travel)
}

/** Skips the reading. */
const refresh = (path: Path, request: Request): AnyExit => {
  if (path.l2 !== undefined && isBypassed(path.l2, request.key)) count(request, "bypassed")
  return rebuild(path, request, isNeverStored(path, request.options) ? "leaseless" : "replace")
}

const rebuild = (
  path: Path,
  request: Request,
  intent: "read" | "replace" | "leaseless"
): AnyExit => {
  // With a stale entry in hand it may still be given that.
  if (request.inHand === undefined) count(request, "misses")
  return fly(path, request, intent, "", travel)
}

const readL2 = (path: Path, l2: L2, request: Request): AnyExit =>
  Effect.async<any, any>((resume) => {
    const next = new AfterRead(path, l2, request, resume)
    const isCoalesced = l2.gather.read(request.key, request.fiber, next, l2.odds)
    if (isCoalesced) countCoalesced(request)
  })

/**
 * The reply resumes each reader with its next step, taken in its own fiber. One
 * object: `suspend` and two closures in its place are five.
 */
class AfterRead extends Effectable.Class<any, any> implements Reader {
  private reply: Reply | undefined = undefined

  constructor(
    private readonly path: Path,
    private readonly l2: L2,
    private readonly request: Request,
    private readonly resume: (next: AnyExit) => void
  ) {
    super()
  }
  take(reply: Reply): void {
    this.reply = reply
    this.resume(this)
  }
  override commit(): AnyExit {
    return afterRead(this.path, this.l2, this.request, this.reply as Reply)
  }
}

const afterRead = (path: Path, l2: L2, request: Request, reply: Reply): AnyExit => {
  switch (reply._tag) {
    case "Closed":
      return Effect.interrupt
    case "Fault":
      request.isFaulted = true
      // Asked for │ the circuit opens │ sent.
      if (!isSent(reply.error)) return bypass(path, request)
      return Effect.zipRight(
        path.log.fault("read", reply.error),
        Effect.suspend(() => rebuild(path, request, "leaseless"))
      )
    case "Stored": {
      const { read, stored } = reply
      // What was read before has been overtaken, if it is not read again.
      request.inHand = undefined
      if (stored === undefined) return rebuild(path, request, "read")
      const reading = readingOf(l2.codec, request)
      const decoded = alreadyDecoded(read, request) ?? decodeAtOnce(stored, reading)
      return decoded === undefined
        ? Effect.flatMap(decodeBySchema(stored, reading), (it) => take(path, l2, request, read, it))
        : take(path, l2, request, read, decoded)
    }
  }
}

const take = (path: Path, l2: L2, request: Request, read: Read, decoded: Decoded): AnyExit => {
  share(read, decoded)
  if (!isUsable(decoded)) {
    request.tally.decodeErrors++
    request.reject = headerText(decoded.stored)
    return rebuild(path, request, "read")
  }
  const now = unsafeNow(request.fiber)
  const entry = fromL2(l2, decoded, now)
  if (now < entry.expiresAt) {
    fillL1(path, request.key, entry, l2.gather.isOvertaken(read))
    request.saw = path.l1?.peek(request.key)
  }
  return serve(path, request, entry, now) ?? rebuild(path, request, "read")
}

/** Those who gathered share what was decoded, if they read it alike. */
const alreadyDecoded = (read: Read, { options, region }: Request): Decoded | undefined =>
  read.decoded?.find((it) => it.schema === options.schema && it.region === region)

const share = (read: Read, decoded: Decoded): void => {
  if (read.others === undefined || read.decoded?.includes(decoded)) return
  read.decoded = [...(read.decoded ?? []), decoded]
}
