import { Redis } from "ioredis"
// @ts-expect-error -- 5.0.0-beta.2 has types, but does not export them
import Redlock from "redlock"
import { setTimeout as sleep } from "node:timers/promises"

const redis = new Redis(process.env["REDIS_URL"] ?? "redis://localhost:6379")
const redlock = new Redlock([redis], { retryCount: 20, retryDelay: 100 })

let stock = 1
const sell = async () => {
  const found = stock
  await sleep(50)
  stock = Math.max(0, found - 1)
  return found > 0 ? "sold" : "sold out"
}
const sales = await Promise.all([1, 2, 3].map(() => redlock.using(["apples"], 10_000, sell)))
console.log(`one apple, three customers: ${sales.toSorted().join(", ")}`)

const inventory = redlock.using(["apples"], 900, async (signal: AbortSignal) => {
  // As if the server had lost its data.
  await redis.del("apples")
  for (let step = 1; step <= 10; step++) await sleep(100)
  console.log(`all 10 steps are done. Told that the lock is lost: ${signal.aborted}`)
})
await inventory.catch((error: Error) => console.log(error.message))

redis.disconnect()
