import * as Layer from "effect/Layer"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { cacheConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { shared } from "../redis/backends.js"
import { startRedis } from "../servers/redis.js"

const tests = { describe: describe.concurrent, it }

const server = await shared(startRedis())
const mute = await shared(startRedis({ scripting: false }))

let last = 0
/** A prefix a test: `clear` and `keys` see a prefix as a whole. */
const fresh = (url: string) =>
  Layer.suspend(() =>
    RedisCache.layer({ prefix: `cache-${++last}` }).pipe(Layer.provide(RedisClient.layer({ url })))
  )

cacheConformance("the Redis cache", fresh(server.url), tests, { shortestTtl: 1 })
cacheConformance("the Redis cache without scripting", fresh(mute.url), tests, { shortestTtl: 1 })
