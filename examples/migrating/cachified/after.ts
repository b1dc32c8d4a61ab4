import { Console, Effect, Layer, Logger, LogLevel, Schema } from "effect"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { changePrice, queryPrice, untilQuery } from "../database.js"

const cacheIn = (url: string | undefined) =>
  RedisCache.layer({ prefix: "after" }).pipe(Layer.provide(RedisClient.layer({ url })))
const price = Cache.getOrCreate(
  "price:apple",
  Effect.tryPromise(() => queryPrice("apple")),
  { ttl: "10 minutes", staleWhileRevalidate: "50 minutes", schema: Schema.Number }
)

const withRedis = Effect.gen(function* () {
  yield* Cache.invalidate("price:apple")
  const rebuild = yield* Effect.fork(price)
  yield* Effect.promise(untilQuery)
  changePrice("apple", 200)
  yield* Cache.invalidate("price:apple")
  yield* rebuild
  const cached = yield* price
  yield* Console.log(`invalidated during a rebuild: the price is 200, the cache says ${cached}`)
}).pipe(Effect.provide(cacheIn(process.env["REDIS_URL"])))

const quiet = Logger.minimumLogLevel(LogLevel.None) // it would say that there is no Redis
const withoutRedis = Effect.gen(function* () {
  yield* Console.log(`without Redis: ${yield* price}`)
}).pipe(Effect.provide(Layer.provideMerge(cacheIn("redis://127.0.0.1:1"), quiet)))

Effect.runPromise(Effect.zipRight(withRedis, withoutRedis))
