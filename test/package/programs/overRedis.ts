import { Console, Effect, Logger, LogLevel } from "effect"
import { Cache } from "effect-larder"
import { RedisCacheLive } from "effect-larder/redis"

let queries = 0
const loadProduct = Effect.delay(
  Effect.sync(() => ({ id: 42, query: ++queries })),
  "50 millis"
)
const product = Cache.getOrCreate("product:42", loadProduct, { ttl: "1 minute" })

const ask = (times: number) =>
  Effect.gen(function* () {
    const requests = Array.from({ length: times }, () => product)
    const answers = yield* Effect.all(requests, { concurrency: "unbounded" })
    const { hits } = yield* Cache.counters
    yield* Console.log(`${answers.length} requests, ${queries} query, ${hits} hits`)
  })

// Each in a cache and with connections of its own, as in two processes.
const program = Effect.zipRight(
  Effect.provide(ask(1000), RedisCacheLive),
  Effect.provide(ask(10), RedisCacheLive)
)

Effect.runPromise(Logger.withMinimumLogLevel(program, LogLevel.Warning))
