/** All that is done with ioredis 5 elsewhere, done with ioredis 6: here `ioredis` means that. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { cacheBackendConformance, cacheConformance } from "effect-larder/testing"
import type { Cluster, Redis } from "ioredis"
import * as Driver from "ioredis6"
import { describe, expect, it, vi } from "vitest"
import { load } from "../../src/redis/driver.js"
import { backendAt, backendOf, started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startCluster, startRedis } from "../servers/redis.js"

vi.mock("ioredis", () => import("ioredis6"))

// One after the other: some are about what goes on at once, and have a time limit.
const tests = { describe, it }

/** A user's client, gone with the test. */
const usersClient = <A extends { readonly disconnect: () => void }>(make: () => A) =>
  Effect.acquireRelease(Effect.sync(make), (client) => Effect.sync(() => client.disconnect()))

const fromUsersClient = <A extends { readonly disconnect: () => void }>(make: () => A) =>
  Layer.unwrapScoped(
    Effect.map(usersClient(make), (client) =>
      // The types are those of ioredis 5.
      RedisClient.fromIORedis(client as unknown as Redis | Cluster)
    )
  )

describeWithServer("ioredis 6", ["redis-server"], () => {
  const server = started(startRedis())
  const cluster = started(startCluster())

  it("is what the layer loads", async () => {
    expect((await Effect.runPromise(load)).Redis).toBe(Driver.Redis)
  })

  cacheBackendConformance(
    "the layer's own connections",
    Effect.flatMap(server, ({ url }) => backendAt({ url })),
    tests
  )
  cacheBackendConformance(
    "a user's client, which speaks RESP3",
    Effect.flatMap(server, ({ url }) =>
      backendOf(fromUsersClient(() => new Driver.Redis(url, { replyMapping: "resp3" })))
    ),
    tests
  )
  cacheBackendConformance(
    "a user's client of a cluster",
    Effect.flatMap(cluster, ({ nodes: [first] }) =>
      backendOf(
        fromUsersClient(
          () =>
            new Driver.Cluster([{ host: "127.0.0.1", port: first?.port ?? 0 }], {
              redisOptions: { replyMapping: "resp3" }
            })
        )
      )
    ),
    tests
  )

  let last = 0
  const cache = Layer.unwrapEffect(
    Effect.map(cluster, ({ nodes }) =>
      RedisCache.layer({ prefix: `cache-${++last}` }).pipe(
        Layer.provide(
          RedisClient.layer({ cluster: { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`) } })
        )
      )
    )
  )
  cacheConformance("the cache, over a cluster", cache, tests, { shortestTtl: 1 })
})
