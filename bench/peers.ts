/**
 * Who is compared, and how each is set up: 10,000 entries that live an hour, and
 * all else as it comes.
 */
import {
  type Cache as CachifiedCache,
  type CacheEntry,
  cachified,
  totalTtl
} from "@epic-web/cachified"
import { createCache as createDedupe } from "async-cache-dedupe"
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { createCache as createManaged } from "cache-manager"
import * as EffectCache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { type Cache, MemoryCache } from "effect-larder"
import { Keyv } from "keyv"
import { LRUCache } from "lru-cache"

export { ours } from "./figures.js"

export const effects = "Effect Cache"
export const bentos = "bentocache"
export const bentosByReference = "bentocache, by reference"
const managed = "cache-manager wrap"
const cachifieds = "cachified"
const dedupes = "async-cache-dedupe"
const keyvs = "keyv, get and set by hand"
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

/** A peer that promises: what it is asked, and how it forgets all. */
export interface Promising {
  readonly name: string
  readonly getOrCreate: (key: string) => Promise<number>
  readonly clear: () => unknown
}

type Create = (key: string) => number | Promise<number>

/** Those that are caches around an lru-cache, as their READMEs have it, and async-cache-dedupe. */
export const makePromising = (creatorOf: (peer: string) => Create): ReadonlyArray<Promising> => [
  makeManaged(creatorOf(managed)),
  makeCachified(creatorOf(cachifieds)),
  makeDedupe(creatorOf(dedupes)),
  makeKeyv(creatorOf(keyvs))
]

const makeManaged = (create: Create): Promising => {
  const cache = createManaged({ stores: [keyvOverLru()], ttl })
  return {
    name: managed,
    getOrCreate: (key) => cache.wrap(key, () => create(key)),
    clear: () => cache.clear()
  }
}

const makeCachified = (create: Create): Promising => {
  const lru = new LRUCache<string, CacheEntry>({ max: capacity })
  const cache: CachifiedCache = {
    get: (key) => lru.get(key),
    set: (key, entry) =>
      lru.set(key, entry, { ttl: totalTtl(entry.metadata), start: entry.metadata.createdTime }),
    delete: (key) => lru.delete(key)
  }
  return {
    name: cachifieds,
    getOrCreate: (key) => cachified({ key, cache, ttl, getFreshValue: () => create(key) }),
    clear: () => lru.clear()
  }
}

/** It has an LRU of its own. */
const makeDedupe = (create: Create): Promising => {
  const options = { size: capacity }
  const cache = createDedupe({ ttl: ttl / 1_000, storage: { type: "memory", options } })
  const { value } = cache.define("value", async (key: string) => create(key))
  return { name: dedupes, getOrCreate: value, clear: () => cache.clear("value") }
}

/** A store, not a cache: nobody waits for what another creates. */
const makeKeyv = (create: Create): Promising => {
  const keyv = keyvOverLru()
  return {
    name: keyvs,
    getOrCreate: async (key) => {
      const found = await keyv.get<number>(key)
      if (found !== undefined) return found
      const value = await create(key)
      await keyv.set(key, value)
      return value
    },
    clear: () => keyv.clear()
  }
}

/** By reference: nothing is turned into text. */
const keyvOverLru = (): Keyv => {
  const keyv = new Keyv({ store: new LRUCache({ max: capacity }), ttl, useKeyPrefix: false })
  keyv.serialize = undefined
  keyv.deserialize = undefined
  return keyv
}
