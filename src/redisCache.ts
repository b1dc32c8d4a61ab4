/**
 * A cache that all processes share: entries in Redis, one load across them all.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cache, type SharedCacheOptions } from "./Cache.js"
import * as NoopCache from "./NoopCache.js"
import { CacheBackend } from "./port/CacheBackend.js"
import * as RedisBackend from "./redis/RedisBackend.js"
import { RedisClient } from "./redis/RedisClient.js"
import type { SharedCache } from "./SharedCache.js"

/**
 * As of any cache that processes share: with a `codec`, and the terms of a `lease`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisCacheOptions extends SharedCacheOptions {}

/**
 * The backend alone, for a composition of your own.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { Cache, NoopCache } from "effect-larder"
 * import { RedisCache, RedisClient } from "effect-larder/redis"
 *
 * // What `RedisCache.layer({ prefix: "shop" })` is.
 * export const CacheLive = Cache.withFallback(RedisCache.backend, NoopCache.backend, {
 *   prefix: "shop"
 * }).pipe(Layer.provide(RedisClient.layer()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const backend: Layer.Layer<CacheBackend, never, RedisClient> = Layer.effect(
  CacheBackend,
  Effect.map(RedisClient, RedisBackend.make)
)

/**
 * A cache in Redis, for all processes that use the same prefix.
 *
 * What a fault of Redis costs is time, at most one `commandTimeout` a lookup: the
 * creator then runs without a lease, once a process. After five in a row Redis is not
 * asked for 15 seconds (`breaker`), and it costs no time. A wrong setting is a defect
 * when the layer is built.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { RedisCache, RedisClient } from "effect-larder/redis"
 *
 * export const CacheLive = RedisCache.layer({ prefix: "shop", ttl: "10 minutes" }).pipe(
 *   Layer.provide(RedisClient.layer())
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: RedisCacheOptions = {}
): Layer.Layer<Cache | SharedCache, never, RedisClient> =>
  Cache.withFallback(backend, NoopCache.backend, options)

/**
 * `layer` with its options from `Config`.
 *
 * @example
 * ```ts
 * import * as Config from "effect/Config"
 * import * as Layer from "effect/Layer"
 * import { RedisCache, RedisClient } from "effect-larder/redis"
 *
 * export const CacheLive = RedisCache.layerConfig({ prefix: Config.string("SHOP_PREFIX") }).pipe(
 *   Layer.provide(RedisClient.layerConfig({ url: Config.string("SHOP_REDIS_URL") }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<RedisCacheOptions>
): Layer.Layer<Cache | SharedCache, ConfigError, RedisClient> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
