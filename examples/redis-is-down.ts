// Nobody listens on port 1: the program starts all the same, and its callers get their values.
import { Console, Effect, Layer, Logger } from "effect"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"

const CacheLive = RedisCache.layer().pipe(
  Layer.provide(RedisClient.layer({ url: "redis://localhost:1" }))
)

// #region program
const loadProduct = Effect.delay(Effect.succeed("Marmalade"), "50 millis")
const product = Cache.getOrCreate("product:42", loadProduct)

const program = Effect.gen(function* () {
  const requests = Array.from({ length: 100 }, () => product)
  const answers = yield* Effect.all(requests, { concurrency: "unbounded" })
  const { bypassed, loads } = yield* Cache.counters
  yield* Console.log(`${answers.length} answers, ${loads} load, bypassed: ${bypassed}`)

  const wasThere = yield* Cache.invalidate("product:42")
  const { circuit, healthy, pendingInvalidations } = yield* Cache.health
  yield* Console.log(`invalidated: ${wasThere}, pending: ${pendingInvalidations}`)
  yield* Console.log(`healthy: ${healthy}, circuit: ${circuit}`)
})
// #endregion

const logger = Logger.make(({ logLevel, message }) => console.log(`${logLevel.label} ${message}`))
const LoggerLive = Logger.replace(Logger.defaultLogger, logger)

Effect.runPromise(program.pipe(Effect.provide(Layer.provideMerge(CacheLive, LoggerLive))))
