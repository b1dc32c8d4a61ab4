import { Console, Effect, Layer, Schema } from "effect"
import { CacheRegion } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { countQueries, queryPrice } from "../database.js"

const CacheLive = RedisCache.layer({ prefix: "after" }).pipe(
  Layer.provide(RedisClient.layer({ url: process.env["REDIS_URL"] }))
)
const prices = CacheRegion.make({
  name: "price",
  value: Schema.Struct({ price: Schema.Number, since: Schema.Date }),
  ttl: "10 minutes"
})
const priceOf = (product: string) =>
  prices.getOrCreate(
    product,
    Effect.map(
      Effect.tryPromise(() => queryPrice(product)),
      (price) => ({ price, since: new Date(0) })
    )
  )

const program = Effect.gen(function* () {
  yield* prices.clear
  const requests = Array.from({ length: 10 }, () => priceOf("apple"))
  yield* Effect.all(requests, { concurrency: "unbounded" })
  yield* Console.log(`10 requests: ${countQueries()} query`)

  const { since } = yield* priceOf("apple")
  yield* Console.log(`a Date: ${since instanceof Date}, ${since.toISOString()}`)
})

Effect.runPromise(program.pipe(Effect.provide(CacheLive)))
