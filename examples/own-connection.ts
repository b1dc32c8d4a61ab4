// A connection of your own, as it may be in your program already. The cache connects as it does.
import { Console, Effect, Layer } from "effect"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { Redis } from "ioredis"

const connection = new Redis(process.env["REDIS_URL"] ?? "redis://localhost:6379")

const CacheLive = RedisCache.layer({ prefix: "example", ttl: "1 minute" }).pipe(
  Layer.provide(RedisClient.fromIORedis(connection))
)

const cached = Effect.gen(function* () {
  yield* Cache.set("greeting", { text: "Good morning" })
  // An entry is a header of 109 characters, and the value as JSON.
  const stored = yield* Effect.promise(() => connection.get("example:greeting"))
  yield* Console.log(`a ${stored?.slice(0, 4)} entry: ${stored?.slice(109)}`)
  yield* Cache.invalidate("greeting")
})

const program = Effect.gen(function* () {
  yield* Effect.provide(cached, CacheLive)
  // The cache and its connections are closed. Yours is not, and it is yours to close.
  yield* Console.log(yield* Effect.promise(() => connection.ping()))
})

Effect.runPromise(program).finally(() => connection.disconnect())
