/**
 * A cache that all processes share: entries in Redis, one load across them all.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Cache, type SharedCacheOptions } from "./Cache.js"
import { cacheEnvironment, redisUrl } from "./core/environment.js"
import * as NoopCache from "./NoopCache.js"
import * as RedisBackend from "./redis/RedisBackend.js"
import { disconnected, RedisClient } from "./redis/RedisClient.js"
import type { SharedCache } from "./SharedCache.js"

/**
 * As of any cache that processes share: with a `codec`, and the terms of a `lease`.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisCacheOptions extends SharedCacheOptions {}

/**
 * A cache in Redis, for all processes that use the same prefix.
 *
 * What a fault of Redis costs is time, at most one `commandTimeout` a lookup: the
 * creator then runs without a lease, once a process. A wrong setting is a defect when
 * the layer is built.
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
  Layer.unwrapEffect(
    Effect.map(RedisClient, (client) => Cache.fromBackend(RedisBackend.make(client), options))
  )

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

/**
 * Ready to provide: a client and a cache, with settings from the environment
 * (`LARDER_CACHE_REDIS_URL` or else `REDIS_URL`, `LARDER_CACHE_PREFIX`,
 * `LARDER_CACHE_DEFAULT_TTL`, `LARDER_CACHE_LOCK_TIMEOUT`). What is wrong there is
 * a warning, and the default holds; a wrong URL is an error in the log and a
 * cache without Redis, never another server than the one that was meant.
 * `LARDER_CACHE_ENABLED=false` gives a cache that never hits.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache } from "effect-larder"
 * import { RedisCacheLive } from "effect-larder/redis"
 *
 * export const program = Cache.getOrCreate("answer", Effect.succeed(42)).pipe(
 *   Effect.provide(RedisCacheLive)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const RedisCacheLive: Layer.Layer<Cache | SharedCache> = Layer.unwrapEffect(
  Effect.map(Effect.zip(cacheEnvironment, redisUrl), ([{ enabled, ...options }, url]) =>
    enabled ? Layer.provide(layer(options), clientAt(url)) : NoopCache.layer
  )
)

const whyOf = (cause: Cause.Cause<never>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : "unknown error"
}

const clientAt = (url: Redacted.Redacted | undefined): Layer.Layer<RedisClient> =>
  RedisClient.layer(url === undefined ? {} : { url: Redacted.value(url) }).pipe(
    Layer.catchAllCause((cause) =>
      Cause.isInterrupted(cause)
        ? Layer.failCause(cause)
        : Layer.effect(
            RedisClient,
            Effect.as(
              Effect.logError(
                "The cache set up from LARDER_CACHE_REDIS_URL or REDIS_URL goes on without Redis: " +
                  whyOf(cause)
              ),
              disconnected("no address")
            )
          )
    )
  )
