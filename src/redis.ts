/**
 * Redis and Valkey: needs `ioredis`, 5 or 6.
 *
 * @module effect-larder/redis
 * @since 0.1.0
 */
export {
  type ClusterNodes,
  RedisClient,
  type RedisClientOptions,
  RedisUnavailable,
  type Sentinels
} from "./redis/RedisClient.js"
/** A cache that all processes share: entries in Redis, one load across them all. */
export * as RedisCache from "./redisCache.js"
export { RedisCacheLive } from "./redisCache.js"
/** Locks in Redis, for all processes that use the same prefix. */
export * as RedisLock from "./redisLock.js"
