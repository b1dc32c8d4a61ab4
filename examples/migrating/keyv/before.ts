import { createKeyv } from "@keyv/redis"
import { countQueries, queryPrice } from "../database.js"

interface Price {
  readonly price: number
  readonly since: Date
}

const prices = createKeyv(process.env["REDIS_URL"], { namespace: "before:price" })
prices.on("error", console.error)

const priceOf = async (product: string): Promise<Price> => {
  const cached = await prices.get<Price>(product)
  if (cached !== undefined) return cached
  const price = { price: await queryPrice(product), since: new Date(0) }
  await prices.set(product, price, 600_000)
  return price
}

await prices.clear()
await Promise.all(Array.from({ length: 10 }, () => priceOf("apple")))
console.log(`10 requests: ${countQueries()} queries`)

const { since } = await priceOf("apple")
console.log(`a Date by its type; in truth a ${typeof since}: ${String(since)}`)

await prices.disconnect()
