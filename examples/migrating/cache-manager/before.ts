import { createKeyv } from "@keyv/redis"
import { type Cache, createCache } from "cache-manager"
import { Keyv } from "keyv"
import { changePrice, countQueries, queryPrice } from "../database.js"

/** What each process of an application makes: memory before Redis. */
const start = () =>
  createCache({
    ttl: 600_000,
    refreshThreshold: 60_000,
    stores: [new Keyv(), createKeyv(process.env["REDIS_URL"], { namespace: "before" })]
  })
const priceOn = (cache: Cache) => cache.wrap("price:apple", () => queryPrice("apple"))

const here = start()
const there = start()
await here.del("price:apple")

await Promise.all([here, here, here, there, there, there].map(priceOn))
console.log(`2 instances, 6 requests: ${countQueries()} queries`)

changePrice("apple", 200)
await here.del("price:apple")
console.log(`the price is 200. Here: ${await priceOn(here)}, there: ${await priceOn(there)}`)

await Promise.all([here.disconnect(), there.disconnect()])
