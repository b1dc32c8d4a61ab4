import { Effect, Layer, ManagedRuntime } from "effect"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { changePrice, countQueries, queryPrice } from "../database.js"

/** What each process of an application makes. What was `await` before runs on it. */
const start = () =>
  ManagedRuntime.make(
    RedisCache.layer({
      prefix: "after",
      ttl: "9 minutes", // fresh so long ...
      staleWhileRevalidate: "1 minute" // ... and then refreshed behind: cache-manager's threshold
    }).pipe(Layer.provide(RedisClient.layer({ url: process.env["REDIS_URL"] })))
  )
const price = Cache.getOrCreate(
  "price:apple",
  Effect.tryPromise(() => queryPrice("apple"))
)

const here = start()
const there = start()
await here.runPromise(Cache.invalidate("price:apple"))

await Promise.all([here, here, here, there, there, there].map((it) => it.runPromise(price)))
console.log(`2 instances, 6 requests: ${countQueries()} query`)

changePrice("apple", 200)
await here.runPromise(Cache.invalidate("price:apple"))
const [priceHere, priceThere] = [await here.runPromise(price), await there.runPromise(price)]
console.log(`the price is 200. Here: ${priceHere}, there: ${priceThere}`)

await Promise.all([here.dispose(), there.dispose()])
