// A service that is down, and comes back: a hundred callers ask it five times.
import { Console, Effect, Logger } from "effect"
import { CircuitBreaker } from "effect-larder"

let isDown = true
let requests = 0
const fetchRate = Effect.gen(function* () {
  requests++
  yield* Effect.sleep("2 millis") // as slow as a network
  return isDown ? yield* Effect.fail("503 Service Unavailable") : "1.09"
})

// #region program
const program = Effect.gen(function* () {
  const rates = yield* CircuitBreaker.make({ name: "rates", openFor: "200 millis" })
  const rate = fetchRate.pipe(
    Effect.timeout("1 second"), // within: to hang is to fail
    rates.execute,
    Effect.orElseSucceed(() => "yesterday's 1.08")
  )

  const answers = yield* Effect.replicateEffect(rate, 100)
  yield* Console.log(`${answers.length} answers, ${requests} requests: ${answers.at(-1)}`)

  isDown = false
  yield* Effect.sleep("200 millis")
  yield* Console.log(`It is ${yield* rates.state}, and then ${yield* rate} is the rate`)
  yield* Console.log(`It is ${yield* rates.state}, and then ${yield* rate} is the rate`)
  yield* Console.log(`It is ${yield* rates.state}`)
})
// #endregion

const logger = Logger.make(({ logLevel, message }) => console.log(`${logLevel.label} ${message}`))
const LoggerLive = Logger.replace(Logger.defaultLogger, logger)

Effect.runPromise(program.pipe(Effect.provide(LoggerLive)))
