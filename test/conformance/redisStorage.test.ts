import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { RedisClient, RedisStorage } from "effect-larder/redis"
import { storageConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startCluster, startRedis } from "../servers/redis.js"

// One after the other: cleaning up is of the store as a whole.
const tests = { describe, it }

const prefix = `storage-${process.pid}-${Date.now()}`

const over = (
  client: Effect.Effect<Layer.Layer<RedisClient>>,
  options: RedisStorage.RedisStorageOptions = {}
) =>
  Layer.unwrapEffect(
    Effect.map(client, (it) =>
      RedisStorage.layer({ prefix, ...options }).pipe(
        Layer.provide(it),
        Layer.provide(Logger.minimumLogLevel(LogLevel.Warning))
      )
    )
  )

const at = (server: Effect.Effect<{ readonly url: string }>) =>
  Effect.map(server, ({ url }) => RedisClient.layer({ url }))

const native = { expiry: "native", ttl: "1 hour" } as const

describeWithServer("Redis", ["redis"], () => {
  storageConformance("entries", over(at(started(startRedis()))), tests, native)
})

describeWithServer("Redis, for good", ["redis"], () => {
  const layer = over(at(started(startRedis())), { prefix: `${prefix}-lasting`, ttl: Infinity })
  storageConformance("entries", layer, tests, { expiry: "native" })
})

describeWithServer("Redis without scripting", ["redis-server"], () => {
  storageConformance("entries", over(at(started(startRedis({ scripting: false })))), tests, native)
})

describeWithServer("Valkey", ["valkey"], () => {
  storageConformance("entries", over(at(started(startRedis({ flavour: "valkey" })))), tests, native)
})

describeWithServer("a Redis Cluster of three", ["redis-server"], () => {
  const cluster = started(startCluster())
  const client = Effect.map(cluster, ({ nodes: [first] }) =>
    RedisClient.layer({ cluster: { nodes: [`${first?.host}:${first?.port}`] } })
  )
  storageConformance("entries", over(client), tests, native)
})
