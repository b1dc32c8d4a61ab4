/**
 * Redis and Valkey: needs `ioredis`, 5 or 6.
 *
 * @module effect-larder/redis
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Cache } from "./Cache.js"
import { cacheEnvironment, redisUrl } from "./core/environment.js"
import * as NoopCache from "./NoopCache.js"
import { CacheBackend } from "./port/CacheBackend.js"
import { RedisClient } from "./redis/RedisClient.js"
import * as RedisCache from "./redisCache.js"
import type { SharedCache } from "./SharedCache.js"
import { disabled } from "./Uncached.js"

export {
  type ClusterNodes,
  RedisClient,
  type RedisClientOptions,
  RedisUnavailable,
  type Sentinels
} from "./redis/RedisClient.js"
/** A cache that all processes share: entries in Redis, one load across them all. */
export * as RedisCache from "./redisCache.js"
/** Locks in Redis, for all processes that use the same prefix. */
export * as RedisLock from "./redisLock.js"
/** Lasting entries in Redis, for all processes that use the same prefix. */
export * as RedisStorage from "./redisStorage.js"
export { RedisStorageLive } from "./redisStorage.js"

/** At the address of the environment. A wrong one is no other than the one that was meant. */
const redis: Layer.Layer<CacheBackend> = Layer.unwrapEffect(
  Effect.map(redisUrl, (url) =>
    RedisCache.backend.pipe(
      Layer.provide(RedisClient.layer(url && { url: Redacted.value(url) })),
      Layer.catchAllCause((cause) =>
        Cause.isInterrupted(cause) ? Layer.failCause(cause) : withoutRedis(cause)
      )
    )
  )
)

const withoutRedis = (cause: Cause.Cause<never>): Layer.Layer<CacheBackend> => {
  const error = Cause.squash(cause)
  const reason = error instanceof Error ? error.message : "unknown error"
  const status = { address: "no address", isReachable: false, reason }
  return Layer.effect(
    CacheBackend,
    Effect.map(CacheBackend, (none) => ({ ...none, name: "redis", status: () => status }))
  ).pipe(
    Layer.provide(NoopCache.backend),
    Layer.tap(() =>
      Effect.logError(
        "The cache set up from LARDER_CACHE_REDIS_URL or REDIS_URL goes on without Redis: " + reason
      )
    )
  )
}

/**
 * Ready to provide: Redis, under a circuit breaker, over a backend that keeps nothing. Its
 * settings are from the environment (`LARDER_CACHE_REDIS_URL` or else `REDIS_URL`,
 * `LARDER_CACHE_PREFIX`, `LARDER_CACHE_DEFAULT_TTL`, `LARDER_CACHE_LOCK_TIMEOUT`). What is
 * wrong there is a warning, and the default holds; a wrong URL is an error in the log and a
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
  Effect.map(cacheEnvironment, ({ enabled, ...options }) =>
    enabled ? Layer.tap(Cache.withFallback(redis, NoopCache.backend, options), tellStart) : disabled
  )
)

const tellStart = (context: Context.Context<Cache>): Effect.Effect<void> =>
  Effect.flatMap(Context.get(context, Cache).health, ({ backend, healthy }) =>
    healthy
      ? Effect.annotateLogs(Effect.logInfo("Distributed cache provider initialized successfully"), {
          backend
        })
      : Effect.void
  )
