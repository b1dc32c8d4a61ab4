/** A second cache, which is used while the first one's backend is out of reach. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { CacheBackend } from "../port/CacheBackend.js"
import type { Breaker } from "./breaker.js"
import { snapshot } from "./counters.js"
import { underBreaker } from "./degrade.js"
import type { Service } from "./service.js"

/** When the second one is used: in an outage, if it holds nothing of the one before. */
export type IsUsed = () => boolean

/**
 * What the second one holds is of one outage: when that is over, it is emptied. Until
 * it is empty it is not used again, for others may have written meanwhile. One that
 * cannot be emptied is used for one outage alone.
 */
export const usedInOutages = (
  breaker: Breaker,
  emptying: Effect.Effect<void, unknown>,
  fork: (emptying: Effect.Effect<void>) => void
): IsUsed => {
  let outages = 0
  let emptied = 0
  breaker.onTransition(({ to }) => {
    if (to !== "closed") return
    // What an earlier one's emptying has gone past may have been put there since.
    const outage = ++outages
    const isDone = Effect.sync(() => void (emptied = Math.max(emptied, outage)))
    fork(Effect.ignore(Effect.zipRight(emptying, isDone)))
  })
  return () => emptied === outages && breaker.unsafeState() !== "closed"
}

/**
 * A backend that hears nothing unless it is used: who began in an outage and ends after it
 * would put into it, emptied, what nobody would remove.
 */
export const whileUsed = (backend: CacheBackend, isUsed: IsUsed): CacheBackend =>
  underBreaker(backend, {
    unsafeEnter: () => (isUsed() ? 0 : undefined),
    unsafeReport: () => {}
  })

export const standingBy = (first: Service, second: Service, isUsed: IsUsed): Service => {
  const current = (): Service => (isUsed() ? second : first)
  /**
   * The first one hears of every write: what its backend has not confirmed is pending there.
   * It is the one that answers. The second one hears of it also where that was interrupted.
   */
  const both = <A>(write: (cache: Service) => Effect.Effect<A>): Effect.Effect<A> =>
    Effect.ensuring(
      write(first),
      Effect.suspend(() => (isUsed() ? Effect.asVoid(write(second)) : Effect.void))
    )
  return {
    ...first,
    lookup: (...args) => current().lookup(...args),
    get: (...args) => Effect.suspend(() => current().get(...args)),
    set: (...args) => both((cache) => cache.set(...args)),
    invalidate: (key) => both((cache) => cache.invalidate(key)),
    clear: (start) => both((cache) => cache.clear(start)),
    keys: (pattern) => Stream.suspend(() => current().keys(pattern)),
    inspect: (key) => Effect.suspend(() => current().inspect(key)),
    events: Stream.merge(first.events, second.events),
    stats: Effect.flatMap(first.counters(undefined), (ofFirst) =>
      Effect.zipWith(
        Effect.suspend(() => current().stats),
        second.counters(undefined),
        (stats, ofSecond) => ({ ...stats, ...snapshot([ofFirst, ofSecond]) })
      )
    ),
    counters: (region) =>
      Effect.zipWith(first.counters(region), second.counters(region), (...both) => snapshot(both)),
    health: Effect.zipWith(first.health, second.health, (ofFirst, { backend }) =>
      isUsed()
        ? { ...ofFirst, reason: Option.map(ofFirst.reason, (it) => `${it} ${meanwhile(backend)}`) }
        : ofFirst
    )
  }
}

const meanwhile = (backend: string): string =>
  `What this process builds is kept in ${backend} meanwhile.`
