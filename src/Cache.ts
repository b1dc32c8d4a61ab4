/**
 * A cache that cannot be stampeded.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { accessors, type Accessors } from "./core/accessors.js"
import * as Fallback from "./core/fallback.js"
import * as Noop from "./core/noop.js"
import type { FallbackOptions } from "./core/fallback.js"
import type { LookupOptions } from "./core/request.js"
import type { Service } from "./core/service.js"
import type { SharedCacheOptions } from "./core/settings.js"
import { CacheBackend } from "./port/CacheBackend.js"
import { SharedCache } from "./SharedCache.js"

export type { CacheCodec } from "./core/codec.js"
export type { CacheCounters } from "./core/counters.js"
export type { CacheEvent } from "./core/events.js"
export type { FallbackOptions } from "./core/fallback.js"
export type { CacheHealth, CacheStats, EntryInfo } from "./core/service.js"
export type {
  BreakerOptions,
  CacheOptions,
  LeaseOptions,
  SharedCacheOptions
} from "./core/settings.js"

/**
 * What a caller of `getOrCreate` may ask for; unset means the layer's default.
 *
 * - `ttl`: how long the value is fresh, or a function of the value; default 1
 *   hour. Infinity: for good. Zero: shared with those who wait, never stored
 * - `staleWhileRevalidate`: how long after that it may be served while it is
 *   rebuilt; default 0. The writer's window counts; a reader's can shorten it
 * - `staleIfError`: how long after the ttl it may be served in place of a rebuild
 *   that ends without a value: by a failure, a defect, or an interruption of its own.
 *   Default 0; the writer's window counts, as above. Not in place of a failure that
 *   the region's `error` describes: that is an answer. The next lookup tries again
 * - `softTimeout`: so long a rebuild is waited for where there is a value that
 *   `staleIfError` lets be served; then that is served, and the rebuild goes on behind.
 *   Default: none. It does not limit the wait where there is none, nor the creator
 * - `beta`: eagerness of early refresh; default 1, 0 turns it off
 * - `wait`: the longest wait for another process's creator; default: the lease's
 *   `maxHold`, 5 minutes. Then the creator runs here, and its value is not stored
 * - `background`: `false` rebuilds nothing behind: an early refresh is made in
 *   line, stale values are served if that fails, or not at all, and there is no
 *   `softTimeout`; default true
 * - `schema`: encodes what is stored, decodes what is read; a mismatch is a miss
 * - `refresh`: skips the read: rebuilds, and stores
 *
 * @since 0.1.0
 * @category models
 */
export interface GetOrCreateOptions<A> extends LookupOptions<A> {}

/**
 * `Cache.getOrCreate(key, create)` runs `create` once a refresh, for all fibers
 * that ask, and for all processes if the backend is shared.
 *
 * A fault of the backend never reaches a caller. Without a schema the type of a
 * hit is the caller's word: unchecked. The lease that makes processes take turns
 * saves work; it is no mutual exclusion for anything but the entry itself.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, MemoryCache } from "effect-larder"
 *
 * const program = Cache.getOrCreate("answer", Effect.succeed(42), { ttl: "1 minute" })
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryCache.layer()))).then(console.log)
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Cache extends Context.Tag("effect-larder/Cache")<Cache, Service>() {
  private static readonly all: Accessors<Cache> = accessors(this)

  /**
   * The entry of `key`, or what `create` makes of it, which then is the entry.
   *
   * Callers that come while it is being made wait for it: one run serves them
   * all, and its failure or defect is theirs, too, unless `staleIfError` gives them
   * what was there. The first caller's creator, options and surroundings decide. A
   * caller that is interrupted leaves; the last one to leave ends the creator. The
   * creator gets a scope of its own, closed when it ends. What is rebuilt behind
   * keeps the services of the reader that started it: if those end with a request,
   * say `background: false`.
   *
   * With `runSync`, a memory hit, or a miss with a synchronous creator, works.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import { Cache } from "effect-larder"
   *
   * declare const loadPrice: (id: number) => Effect.Effect<number, "NoSuchProduct">
   *
   * export const price = (id: number) =>
   *   Cache.getOrCreate(`price:${id}`, loadPrice(id), {
   *     ttl: "1 minute",
   *     staleWhileRevalidate: "10 minutes"
   *   })
   * ```
   *
   * @since 0.1.0
   */
  static readonly getOrCreate: Accessors<Cache>["getOrCreate"] = this.all.getOrCreate

  /**
   * `getOrCreate` for pipes.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import { Cache } from "effect-larder"
   *
   * declare const loadPrice: (id: number) => Effect.Effect<number>
   *
   * export const price = (id: number) =>
   *   loadPrice(id).pipe(Cache.cached(`price:${id}`, { ttl: "1 minute" }))
   * ```
   *
   * @since 0.1.0
   */
  static readonly cached: Accessors<Cache>["cached"] = this.all.cached

  /**
   * The fresh value of `key`, or none. A stale one is none, and a miss. Without a
   * schema its type is unknown.
   *
   * @example
   * ```ts
   * import * as Schema from "effect/Schema"
   * import { Cache } from "effect-larder"
   *
   * export const price = Cache.get("price:42", Schema.Number)
   * ```
   *
   * @since 0.1.0
   */
  static readonly get: Accessors<Cache>["get"] = this.all.get

  /**
   * Stores a value, and overtakes what is being rebuilt. What cannot be stored
   * is logged, and leaves no entry. Such an entry is never refreshed early.
   *
   * @example
   * ```ts
   * import { Cache } from "effect-larder"
   *
   * export const setPrice = Cache.set("price:42", 7, { ttl: "1 minute" })
   * ```
   *
   * @since 0.1.0
   */
  static readonly set: Accessors<Cache>["set"] = this.all.set

  /**
   * Removes the entry; `true`: one was there. What is being rebuilt meanwhile is
   * not stored. No read that begins after this has returned sees an older value.
   *
   * While the backend does not confirm, this gives `false`, holds in this
   * process alone, and is replayed; see `health`.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import { Cache } from "effect-larder"
   *
   * declare const storePrice: (id: number, price: number) => Effect.Effect<void>
   *
   * // After the write: what is read before it would be cached again.
   * export const changePrice = (id: number, price: number) =>
   *   Effect.zipRight(storePrice(id, price), Cache.invalidate(`price:${id}`))
   * ```
   *
   * @since 0.1.0
   */
  static readonly invalidate: Accessors<Cache>["invalidate"] = this.all.invalidate

  /**
   * Removes all entries of this prefix, and of no other. What is built meanwhile
   * from an entry that is not cleared yet may survive.
   *
   * @since 0.1.0
   */
  static readonly clear: Accessors<Cache>["clear"] = this.all.clear

  /**
   * The keys of live entries, without the prefix; `pattern` is a glob as in
   * Redis. Order unspecified; in a shared backend a key may come twice.
   *
   * @since 0.1.0
   */
  static readonly keys: Accessors<Cache>["keys"] = this.all.keys

  /**
   * One entry as an operator sees it: times, size, who rebuilds it now.
   *
   * @since 0.1.0
   */
  static readonly inspect: Accessors<Cache>["inspect"] = this.all.inspect

  /**
   * What an operator may want to hear of; never an event a hit. A slow listener
   * loses the oldest.
   *
   * @since 0.1.0
   */
  static readonly events: Accessors<Cache>["events"] = this.all.events

  /**
   * The counters, and what the cache holds. Looks at every key of the backend.
   *
   * @since 0.1.0
   */
  static readonly stats: Accessors<Cache>["stats"] = this.all.stats

  /**
   * The numbers of `stats` that need no I/O.
   *
   * @since 0.1.0
   */
  static readonly counters: Accessors<Cache>["counters"] = this.all.counters

  /**
   * How the cache is doing, and why, if it is not well.
   *
   * @since 0.1.0
   */
  static readonly health: Accessors<Cache>["health"] = this.all.health

  /**
   * A cache over a backend of your own. A wrong setting is a defect, and so is a codec
   * over a backend that has no place for bytes.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Layer from "effect/Layer"
   * import { Cache, MemoryBackend } from "effect-larder"
   *
   * export const CacheLive = Layer.unwrapEffect(
   *   Effect.map(MemoryBackend.make(), (backend) => Cache.fromBackend(backend, { prefix: "shop" }))
   * )
   * ```
   *
   * @since 0.1.0
   */
  static readonly fromBackend = (
    backend: CacheBackend,
    options: SharedCacheOptions = {}
  ): Layer.Layer<Cache | SharedCache> =>
    Cache.withFallback(
      Layer.succeed(CacheBackend, backend),
      Layer.succeed(CacheBackend, Noop.backend),
      options
    )

  /**
   * A cache over a backend that may fail, with another in its place meanwhile: under a
   * circuit breaker, which finds out behind when the first one is back. Callers of one key
   * share one run of its creator, whichever is used; one that began before the change goes
   * on for those who came before it.
   *
   * With `NoopCache.backend` as the fallback nothing is kept during an outage. One that
   * keeps entries is used for one outage, and emptied after it; one that cannot be cleared
   * is used for the first outage alone. Let it be empty when the program starts. If it is in
   * this process, it does not see what others invalidate meanwhile. What was invalidated here
   * is replayed to the first, as ever.
   *
   * A `primary` that fails to build is built again behind (`recovery`); a defect is a wrong
   * setting, and the layer's. That the fallback works is not seen to: it should need no server.
   *
   * @example
   * ```ts
   * import * as Layer from "effect/Layer"
   * import { Cache, NoopCache } from "effect-larder"
   * import { RedisCache, RedisClient } from "effect-larder/redis"
   *
   * const RedisLive = Layer.provide(RedisCache.backend, RedisClient.layerStrict())
   *
   * export const CacheLive = Cache.withFallback(RedisLive, NoopCache.backend, {
   *   breaker: { openFor: "5 seconds" }
   * })
   * ```
   *
   * @since 0.1.0
   */
  static readonly withFallback = <E, R, E2, R2>(
    primary: Layer.Layer<CacheBackend, E, R>,
    fallback: Layer.Layer<CacheBackend, E2, R2>,
    options: FallbackOptions = {}
  ): Layer.Layer<Cache | SharedCache, E2, R | R2> =>
    Layer.scopedContext(
      Effect.map(Fallback.make(primary, fallback, options), (service) =>
        Context.make(Cache, service).pipe(Context.add(SharedCache, service))
      )
    )
}

/**
 * What belongs to the tag.
 *
 * @since 0.1.0
 */
export declare namespace Cache {
  /**
   * The service behind the tag.
   *
   * @since 0.1.0
   */
  export type { Service }
}
