/**
 * Who is compared, and how each is set up: 10,000 entries that live an hour, and
 * all else as it comes.
 */
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import * as EffectCache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { type Cache, MemoryCache } from "effect-larder"
import { LRUCache } from "lru-cache"

export const ours = "effect-larder"
export const effects = "Effect Cache"
export const bentos = "bentocache"
export const bentosByReference = "bentocache, by reference"
export const mapGet = "Map.get"
export const lruGet = "lru-cache get"
export const lruFetch = "lru-cache fetch"
export const bareEffect = "Effect.sync over lru-cache"
export const bareDeferred = "Deferred by hand"

export const capacity = 10_000
const ttl = 3_600_000

/** What one peer keeps is on this runtime, which also runs the other Effect peers. */
export type Runtime = ManagedRuntime.ManagedRuntime<Cache, never>

export const makeRuntime = (): Runtime => ManagedRuntime.make(MemoryCache.layer({ capacity }))

export const makeEffectCache = <A>(
  lookup: (key: string) => Effect.Effect<A>
): Promise<EffectCache.Cache<string, A>> =>
  Effect.runPromise(EffectCache.make({ capacity, timeToLive: ttl, lookup }))

export const makeLru = (
  fetch: (key: string) => number | Promise<number>
): LRUCache<string, number> =>
  new LRUCache<string, number>({ max: capacity, ttl, fetchMethod: (key) => fetch(key) })

/** As it comes, it stores JSON; with `serialize: false` references, as all others do. */
export const makeBento = ({ serialize = true } = {}) =>
  new BentoCache({
    default: "memory",
    ttl,
    stores: {
      memory: bentostore().useL1Layer(memoryDriver({ maxItems: capacity, serialize }))
    }
  })
