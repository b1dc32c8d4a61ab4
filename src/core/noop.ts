/** A cache that is none, and a backend that is none: every read misses, every write succeeds. */
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CacheBackend } from "../port/CacheBackend.js"
import { emptyTally, snapshot, type Tally } from "./counters.js"
import type { Region } from "./request.js"
import type { Service } from "./service.js"

/** Keeps nothing, so that the core asks it for nothing: each flight is its process's alone. */
export const backend: CacheBackend = {
  name: "noop",
  capabilities: { pushes: false, scan: true, bytes: true, shortestTtl: 1, keeps: false },
  serverTime: (monotonic) => monotonic,
  getMany: (keys) => Effect.succeed(keys.map(() => undefined)),
  lease: () => Effect.succeed({ _tag: "Granted" }),
  renew: () => Effect.succeed(true),
  commit: () => Effect.succeed(true),
  release: () => Effect.succeed(true),
  set: () => Effect.void,
  invalidate: () => Effect.succeed(false),
  clear: () => Effect.void,
  keys: () => Stream.empty,
  holder: () => Effect.succeedNone,
  subscribe: () => Effect.void
}

/**
 * The service without even that: nothing is coalesced.
 *
 * @param why there is none: its health says so
 */
export const make = Effect.fnUntraced(function* (why: string) {
  const since = yield* DateTime.now
  const tallies = new Map<string, Tally>()
  const tallyOf = ({ start }: Region): Tally => {
    const tally = tallies.get(start) ?? emptyTally()
    tallies.set(start, tally)
    return tally
  }
  const service: Service = {
    isShared: true,
    lookup: (_fiber, region, _key, create) => {
      const tally = tallyOf(region)
      tally.misses++
      tally.loads++
      return Effect.onExit(Effect.scoped(create) as Effect.Effect<any, any>, (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) tally.loadFailures++
        })
      )
    },
    get: (region) =>
      Effect.sync(() => {
        tallyOf(region).misses++
        return Option.none()
      }),
    set: () => Effect.void,
    invalidate: () => Effect.succeed(false),
    clear: () => Effect.void,
    keys: () => Stream.empty,
    inspect: () => Effect.succeedNone,
    events: Stream.empty,
    stats: Effect.sync(() => ({
      ...snapshot(tallies.values()),
      size: 0,
      keys: [],
      truncated: false
    })),
    counters: (region) =>
      Effect.sync(() => snapshot(region ? [tallyOf(region)] : tallies.values())),
    health: Effect.succeed({
      healthy: true,
      backend: "noop",
      address: Option.none(),
      reachable: true,
      circuit: "closed" as const,
      since,
      reason: Option.some(`Nothing is cached: ${why}.`),
      pendingInvalidations: 0,
      lastError: Option.none()
    })
  }
  return service
})
