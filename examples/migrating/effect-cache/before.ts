import { Cache, Console, Effect, Fiber } from "effect"
import { changePrice, queryPrice, untilQuery } from "../database.js"

const program = Effect.gen(function* () {
  const prices = yield* Cache.make({
    capacity: 100,
    timeToLive: "10 minutes",
    lookup: (product: string) => Effect.tryPromise(() => queryPrice(product))
  })

  const impatient = yield* Effect.fork(prices.get("apple"))
  yield* Effect.promise(untilQuery)
  const patient = yield* Effect.fork(prices.get("apple"))
  yield* Effect.sleep("10 millis")
  yield* Fiber.interrupt(impatient)
  yield* Console.log(`who waits with one that gives up: ${(yield* patient.await)._tag}`)

  const before = yield* Effect.exit(prices.get("pear"))
  changePrice("pear", 300)
  const after = yield* Effect.exit(prices.get("pear"))
  yield* Console.log(`failed once: ${before._tag}, and once there is a pear: ${after._tag}`)

  yield* prices.invalidate("apple")
  const rebuild = yield* Effect.fork(prices.get("apple"))
  yield* Effect.promise(untilQuery)
  changePrice("apple", 200)
  yield* prices.invalidate("apple")
  yield* rebuild
  const price = yield* prices.get("apple")
  yield* Console.log(`invalidated during a load: the price is 200, the cache says ${price}`)
})

Effect.runPromise(program)
