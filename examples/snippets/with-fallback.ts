import { Layer } from "effect"
import { Cache, CacheBackend, MemoryBackend } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"

const redis = Layer.provide(RedisCache.backend, RedisClient.layer())
const memory = Layer.effect(CacheBackend, MemoryBackend.make())

export const CacheLive = Cache.withFallback(redis, memory, { prefix: "shop" })
