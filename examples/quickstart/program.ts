import { Console, Effect } from "effect"
import { Cache } from "effect-larder"
import { RedisCacheLive } from "effect-larder/redis"

let queries = 0
const loadProduct = Effect.gen(function* () {
  queries++
  yield* Effect.sleep("1 second") // a slow query
  return { id: 42, name: "Marmalade" }
})

const product = Cache.getOrCreate("product:42", loadProduct, { ttl: "1 minute" })

const program = Effect.gen(function* () {
  const requests = Array.from({ length: 100 }, () => product)
  const answers = yield* Effect.all(requests, { concurrency: "unbounded" })
  yield* Console.log(`${answers.length} times ${answers[99]?.name}, queries: ${queries}`)
})

Effect.runPromise(program.pipe(Effect.provide(RedisCacheLive)))
