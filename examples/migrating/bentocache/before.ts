import { BentoCache, bentostore } from "bentocache"
import { redisDriver } from "bentocache/drivers/redis"
import { Redis } from "ioredis"
import { changePrice, countQueries, queryPrice, untilQuery } from "../database.js"

const connection = new Redis(process.env["REDIS_URL"] ?? "redis://localhost:6379")
const bento = new BentoCache({
  default: "redis",
  prefix: "before",
  ttl: "10m",
  grace: "1h",
  stores: { redis: bentostore().useL2Layer(redisDriver({ connection })) }
})
const prices = bento.namespace("price")
const priceOf = (product: string) =>
  prices.getOrSet({ key: product, factory: () => queryPrice(product) })
const tenRequests = (product: string) =>
  Promise.allSettled(Array.from({ length: 10 }, () => priceOf(product)))

await prices.clear()
await tenRequests("apple")
console.log(`10 requests: ${countQueries()} query`)
await tenRequests("pear")
console.log(`10 requests for what fails: ${countQueries()} queries`)

await prices.delete({ key: "apple" })
const rebuild = priceOf("apple")
await untilQuery()
changePrice("apple", 200)
await prices.delete({ key: "apple" })
await rebuild
console.log(`deleted during a rebuild: the price is 200, the cache says ${await priceOf("apple")}`)

await bento.disconnect()
