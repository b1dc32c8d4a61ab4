import { Console, Effect } from "effect"
import { DistributedLock, MemoryLock } from "effect-larder"

let stock = 1
const sell = Effect.gen(function* () {
  const found = stock
  yield* Effect.sleep("50 millis") // as slow as a database
  stock = Math.max(0, found - 1)
  return found > 0 ? "sold" : "sold out"
})

const careful = sell.pipe(DistributedLock.withLock("apples", { wait: "10 seconds" }))

const program = Effect.gen(function* () {
  const careless = yield* Effect.all([sell, sell, sell], { concurrency: "unbounded" })
  yield* Console.log(`one apple, without a lock: ${careless.join(", ")}`)
  stock = 1
  const sales = yield* Effect.all([careful, careful, careful], { concurrency: "unbounded" })
  yield* Console.log(`one apple, one at a time:  ${sales.join(", ")}`)
})

Effect.runPromise(program.pipe(Effect.provide(MemoryLock.layer)))
