import { Console, Effect } from "effect"
import { Cache, MemoryCache } from "effect-larder"

let queries = 0
const loadProduct = Effect.gen(function* () {
  queries++
  yield* Effect.sleep("50 millis") // a slow query
  return { id: 42, name: "Marmalade" }
})

const product = Cache.getOrCreate("product:42", loadProduct, { ttl: "1 minute" })

const program = Effect.gen(function* () {
  const requests = Array.from({ length: 1000 }, () => product)
  const answers = yield* Effect.all(requests, { concurrency: "unbounded" })
  yield* Console.log(`${answers.length} requests, ${queries} query: ${answers[999]?.name}`)
})

Effect.runPromise(program.pipe(Effect.provide(MemoryCache.layer())))
