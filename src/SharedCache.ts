/**
 * A cache that every instance of a service sees.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Cache } from "./Cache.js"
import { accessors, type Accessors } from "./core/accessors.js"
import * as Noop from "./core/noop.js"
import type { Service } from "./core/service.js"

/** By its key: `Cache.ts` imports this file, so this one cannot import the class. */
const CacheTag = Context.GenericTag<Cache, Service>("effect-larder/Cache")

/**
 * A cache that every instance sees, or one that never hits, with the statics of
 * `Cache`. Code that must not run on a process-local cache asks for this tag:
 * what one instance invalidates, another would go on serving.
 *
 * Layers over a backend give it, and so does `NoopCache`; `MemoryCache` does not.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { SharedCache } from "effect-larder"
 * import { RedisCacheLive } from "effect-larder/redis"
 *
 * const rights = SharedCache.getOrCreate("rights:42", Effect.succeed(["read"]), {
 *   ttl: "1 minute"
 * })
 *
 * // With MemoryCacheLive this would not compile.
 * export const program = Effect.provide(rights, RedisCacheLive)
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class SharedCache extends Context.Tag("effect-larder/SharedCache")<SharedCache, Service>() {
  private static readonly all: Accessors<SharedCache> = accessors(this)

  /**
   * As `Cache.getOrCreate`.
   *
   * @since 0.1.0
   */
  static readonly getOrCreate: Accessors<SharedCache>["getOrCreate"] = this.all.getOrCreate
  /**
   * As `Cache.cached`.
   *
   * @since 0.1.0
   */
  static readonly cached: Accessors<SharedCache>["cached"] = this.all.cached
  /**
   * As `Cache.get`.
   *
   * @since 0.1.0
   */
  static readonly get: Accessors<SharedCache>["get"] = this.all.get
  /**
   * As `Cache.set`.
   *
   * @since 0.1.0
   */
  static readonly set: Accessors<SharedCache>["set"] = this.all.set
  /**
   * As `Cache.invalidate`, for every instance.
   *
   * @since 0.1.0
   */
  static readonly invalidate: Accessors<SharedCache>["invalidate"] = this.all.invalidate
  /**
   * As `Cache.clear`, for every instance.
   *
   * @since 0.1.0
   */
  static readonly clear: Accessors<SharedCache>["clear"] = this.all.clear
  /**
   * As `Cache.keys`.
   *
   * @since 0.1.0
   */
  static readonly keys: Accessors<SharedCache>["keys"] = this.all.keys
  /**
   * As `Cache.inspect`.
   *
   * @since 0.1.0
   */
  static readonly inspect: Accessors<SharedCache>["inspect"] = this.all.inspect
  /**
   * As `Cache.events`: those of this process.
   *
   * @since 0.1.0
   */
  static readonly events: Accessors<SharedCache>["events"] = this.all.events
  /**
   * As `Cache.stats`: the counts are those of this process.
   *
   * @since 0.1.0
   */
  static readonly stats: Accessors<SharedCache>["stats"] = this.all.stats
  /**
   * As `Cache.counters`: those of this process.
   *
   * @since 0.1.0
   */
  static readonly counters: Accessors<SharedCache>["counters"] = this.all.counters
  /**
   * As `Cache.health`: of this process.
   *
   * @since 0.1.0
   */
  static readonly health: Accessors<SharedCache>["health"] = this.all.health

  /**
   * Decides at run time: the cache that is there if it is shared; otherwise one
   * that never hits, with one warning.
   *
   * @example
   * ```ts
   * import * as Layer from "effect/Layer"
   * import { MemoryCacheLive, SharedCache } from "effect-larder"
   *
   * // In one process alone: what asks for SharedCache is not cached.
   * export const SharedLive = Layer.provideMerge(SharedCache.fromCache, MemoryCacheLive)
   * ```
   *
   * @since 0.1.0
   */
  static readonly fromCache: Layer.Layer<SharedCache, never, Cache> = Layer.effect(
    SharedCache,
    Effect.flatMap(CacheTag, (cache) =>
      cache.isShared
        ? Effect.succeed(cache)
        : Effect.zipRight(
            Effect.logWarning(
              "The cache is local to this process: other instances would not see what is " +
                "invalidated here. What asks for SharedCache is not cached."
            ),
            Noop.make("the cache is local to this process, and SharedCache was asked for")
          )
    )
  )
}
