import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { RedisClient, RedisStorage } from "effect-larder/redis"
import { started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"
import { agreesWithModel } from "./model.js"

describeWithServer("Redis", ["redis"], () => {
  const server = started(startRedis())
  const layer = Layer.unwrapEffect(
    Effect.map(server, ({ url }) =>
      RedisStorage.layer({ prefix: `model-${process.pid}-${Date.now()}`, ttl: "1 day" }).pipe(
        Layer.provide(RedisClient.layer({ url })),
        Layer.provide(Logger.minimumLogLevel(LogLevel.Warning))
      )
    )
  )
  agreesWithModel("storage in Redis", layer, { ttl: 86_400_000 })
})
