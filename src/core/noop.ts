/** A cache that is none: every read misses, every write succeeds, nothing is shared. */
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { emptyTally, snapshot, type Tally } from "./counters.js"
import type { Region } from "./request.js"
import type { Service } from "./service.js"

export const make: Effect.Effect<Service> = Effect.map(DateTime.now, (since) => {
  const tallies = new Map<string, Tally>()
  const tallyOf = ({ start }: Region): Tally => {
    const tally = tallies.get(start) ?? emptyTally()
    tallies.set(start, tally)
    return tally
  }
  return {
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
      circuit: "closed" as const,
      since,
      reason: Option.none(),
      pendingInvalidations: 0
    })
  }
})
