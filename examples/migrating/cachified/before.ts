import { cachified, type Cache } from "@epic-web/cachified"
import { Redis } from "ioredis"
import { changePrice, queryPrice, untilQuery } from "../database.js"

const cacheIn = (redis: Redis): Cache => ({
  get: async (key) => JSON.parse((await redis.get(`before:${key}`)) ?? "null"),
  set: (key, entry) => redis.set(`before:${key}`, JSON.stringify(entry), "PX", 3_600_000),
  delete: (key) => redis.del(`before:${key}`)
})
const priceIn = (cache: Cache) =>
  cachified({
    key: "price:apple",
    cache,
    ttl: 600_000,
    swr: 3_000_000,
    checkValue: (value) => typeof value === "number",
    getFreshValue: () => queryPrice("apple")
  })

const redis = new Redis(process.env["REDIS_URL"] ?? "redis://localhost:6379")
const cache = cacheIn(redis)
await cache.delete("price:apple")
const rebuild = priceIn(cache)
await untilQuery()
changePrice("apple", 200)
await cache.delete("price:apple")
await rebuild
console.log(`deleted during a rebuild: the price is 200, the cache says ${await priceIn(cache)}`)
redis.disconnect()

const nowhere = new Redis("redis://127.0.0.1:1", { maxRetriesPerRequest: 0 })
nowhere.on("error", () => {})
const answer = await priceIn(cacheIn(nowhere)).catch((error: Error) => error.name)
console.log(`without Redis: ${answer}`)
nowhere.disconnect()
