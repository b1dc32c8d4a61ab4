import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { cacheBackendConformance, cacheConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { backendAt, started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"

// One after the other: some are about what goes on at once, and have a time limit.
const tests = { describe, it }

describeWithServer("Valkey", ["valkey"], () => {
  const server = started(startRedis({ flavour: "valkey" }))

  cacheBackendConformance(
    "the backend",
    Effect.flatMap(server, ({ url }) => backendAt({ url })),
    tests
  )

  let last = 0
  const cache = Layer.unwrapEffect(
    Effect.map(server, ({ url }) =>
      RedisCache.layer({ prefix: `cache-${++last}` }).pipe(
        Layer.provide(RedisClient.layer({ url }))
      )
    )
  )
  cacheConformance("the cache", cache, tests, { shortestTtl: 1 })
})
