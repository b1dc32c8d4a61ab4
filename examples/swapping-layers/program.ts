import { Effect } from "effect"
import { Cache } from "effect-larder"

const prices = new Map([
  ["apple", 2],
  ["bread", 3]
])

const priceOf = (product: string) =>
  Effect.sync(() => prices.get(product) ?? 0).pipe(
    Effect.delay("20 millis"),
    Cache.cached(`price:${product}`, { ttl: "1 minute" })
  )

export const total = (basket: ReadonlyArray<string>) =>
  Effect.map(Effect.forEach(basket, priceOf, { concurrency: "unbounded" }), (all) =>
    all.reduce((sum, price) => sum + price, 0)
  )
