import { Console, Effect, Fiber } from "effect"
import { Cache, MemoryCache } from "effect-larder"
import { changePrice, queryPrice, untilQuery } from "../database.js"

const CacheLive = MemoryCache.layer({ capacity: 100, ttl: "10 minutes" })
const priceOf = (product: string) =>
  Cache.getOrCreate(
    `price:${product}`,
    Effect.tryPromise(() => queryPrice(product))
  )

const program = Effect.gen(function* () {
  const impatient = yield* Effect.fork(priceOf("apple"))
  yield* Effect.promise(untilQuery)
  const patient = yield* Effect.fork(priceOf("apple"))
  yield* Effect.sleep("10 millis")
  yield* Fiber.interrupt(impatient)
  yield* Console.log(`who waits with one that gives up: ${(yield* patient.await)._tag}`)

  const before = yield* Effect.exit(priceOf("pear"))
  changePrice("pear", 300)
  const after = yield* Effect.exit(priceOf("pear"))
  yield* Console.log(`failed once: ${before._tag}, and once there is a pear: ${after._tag}`)

  yield* Cache.invalidate("price:apple")
  const rebuild = yield* Effect.fork(priceOf("apple"))
  yield* Effect.promise(untilQuery)
  changePrice("apple", 200)
  yield* Cache.invalidate("price:apple")
  yield* rebuild
  const price = yield* priceOf("apple")
  yield* Console.log(`invalidated during a load: the price is 200, the cache says ${price}`)
})

Effect.runPromise(program.pipe(Effect.provide(CacheLive)))
