import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisCache, RedisClient, type RedisClientOptions } from "effect-larder/redis"
import { cacheBackendConformance, cacheConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { backendAt, started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { type RedisCluster, startCluster } from "../servers/redis.js"

// One after the other: some are about what goes on at once, and have a time limit.
const tests = { describe, it }

/** One of its nodes is enough to find the others. */
const settings = ({ nodes: [first] }: RedisCluster): RedisClientOptions => ({
  cluster: { nodes: [`${first?.host}:${first?.port}`] }
})

describeWithServer("a Redis Cluster of three", ["redis-server"], () => {
  const cluster = started(startCluster())

  cacheBackendConformance(
    "the backend",
    Effect.flatMap(cluster, (it) => backendAt(settings(it))),
    tests
  )

  let last = 0
  const cache = Layer.unwrapEffect(
    Effect.map(cluster, (it) =>
      RedisCache.layer({ prefix: `cache-${++last}` }).pipe(
        Layer.provide(RedisClient.layer(settings(it)))
      )
    )
  )
  cacheConformance("the cache", cache, tests, { shortestTtl: 1 })
})
