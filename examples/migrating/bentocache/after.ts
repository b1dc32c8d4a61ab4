import { Console, Effect, Layer, Schema } from "effect"
import { CacheRegion } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { changePrice, countQueries, queryPrice, untilQuery } from "../database.js"

const CacheLive = RedisCache.layer({ prefix: "after" }).pipe(
  Layer.provide(RedisClient.layer({ url: process.env["REDIS_URL"] }))
)
const prices = CacheRegion.make({
  name: "price",
  value: Schema.Number,
  ttl: "10 minutes",
  staleWhileRevalidate: "50 minutes" // bentocache's grace counts from the start, this from the ttl
})
const priceOf = (product: string) =>
  prices.getOrCreate(
    product,
    Effect.tryPromise(() => queryPrice(product))
  )
const tenRequests = (product: string) =>
  Effect.all(
    Array.from({ length: 10 }, () => Effect.exit(priceOf(product))),
    { concurrency: "unbounded" }
  )

const program = Effect.gen(function* () {
  yield* prices.clear
  yield* tenRequests("apple")
  yield* Console.log(`10 requests: ${countQueries()} query`)
  yield* tenRequests("pear")
  yield* Console.log(`10 requests for what fails: ${countQueries()} query`)

  yield* prices.invalidate("apple")
  const rebuild = yield* Effect.fork(priceOf("apple"))
  yield* Effect.promise(untilQuery)
  changePrice("apple", 200)
  yield* prices.invalidate("apple")
  yield* rebuild
  const price = yield* priceOf("apple")
  yield* Console.log(`invalidated during a rebuild: the price is 200, the cache says ${price}`)
})

Effect.runPromise(program.pipe(Effect.provide(CacheLive)))
