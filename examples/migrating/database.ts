/** What these programs cache: prices in a database, where a query takes a while. */
import { EventEmitter, once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"

const prices = new Map([["apple", 100]])
let queries = 0
let underWay = 0
const events = new EventEmitter()

export const queryPrice = async (product: string): Promise<number> => {
  queries++
  underWay++
  const price = prices.get(product)
  events.emit("query")
  await sleep(50)
  underWay--
  if (price === undefined) throw new Error(`no price of ${product}`)
  return price
}

export const changePrice = (product: string, price: number) => {
  prices.set(product, price)
}

/** How many queries there were since this was asked last. */
export const countQueries = () => {
  const count = queries
  queries = 0
  return count
}

/** Until a query is under way: it has read the price, and has not answered yet. */
export const untilQuery = async () => {
  if (underWay === 0) await once(events, "query")
}
