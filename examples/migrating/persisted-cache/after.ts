import { Effect, Layer, ManagedRuntime, Schema } from "effect"
import { CacheRegion } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { changePrice, countQueries, queryPrice, untilQuery } from "../database.js"

const prices = CacheRegion.make({ name: "price", value: Schema.Number, ttl: "10 minutes" })
const priceOf = (product: string) =>
  prices.getOrCreate(product, Effect.tryPromise({ try: () => queryPrice(product), catch: String }))

/** What each process of an application makes: a cache, and connections. */
const start = () =>
  ManagedRuntime.make(
    RedisCache.layer({ prefix: "after" }).pipe(
      Layer.provide(RedisClient.layer({ url: process.env["REDIS_URL"] }))
    )
  )

const here = start()
const there = start()
await here.runPromise(prices.invalidate("apple"))
await Promise.all([here.runPromise(priceOf("apple")), there.runPromise(priceOf("apple"))])
console.log(`2 instances: ${countQueries()} query`)

await here.runPromise(prices.invalidate("apple"))
const rebuild = here.runPromise(priceOf("apple"))
await untilQuery()
changePrice("apple", 200)
await there.runPromise(prices.invalidate("apple"))
await rebuild
const price = await there.runPromise(priceOf("apple"))
console.log(`invalidated during a rebuild: the price is 200, the cache says ${price}`)

await Promise.all([here.dispose(), there.dispose()])
