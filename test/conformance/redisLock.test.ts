import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisClient, RedisLock } from "effect-larder/redis"
import { lockConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startCluster, startRedis } from "../servers/redis.js"

// One after the other: some are about what goes on at once, and have a time limit.
const tests = { describe, it }

const over = (client: Effect.Effect<Layer.Layer<RedisClient>>) =>
  Layer.unwrapEffect(Effect.map(client, (it) => Layer.provide(RedisLock.layer, it)))

const at = (server: Effect.Effect<{ readonly url: string }>) =>
  over(Effect.map(server, ({ url }) => RedisClient.layer({ url })))

describeWithServer("Redis", ["redis"], () => {
  lockConformance("locks", at(started(startRedis())), tests)
})

describeWithServer("Redis without scripting", ["redis-server"], () => {
  lockConformance("locks", at(started(startRedis({ scripting: false }))), tests)
})

describeWithServer("Valkey", ["valkey"], () => {
  lockConformance("locks", at(started(startRedis({ flavour: "valkey" }))), tests)
})

describeWithServer("a Redis Cluster of three", ["redis-server"], () => {
  const cluster = started(startCluster())
  const client = Effect.map(cluster, ({ nodes: [first] }) =>
    RedisClient.layer({ cluster: { nodes: [`${first?.host}:${first?.port}`] } })
  )
  lockConformance("locks", over(client), tests)
})
