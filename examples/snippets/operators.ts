import { Console, Effect, Stream } from "effect"
import { Cache } from "effect-larder"

export const look = Effect.gen(function* () {
  yield* Console.log(yield* Cache.counters) // numbers: no I/O
  yield* Console.log(yield* Cache.stats) // the same, and size and keys: looks at every key
  yield* Console.log(yield* Cache.health) // healthy? if not, why, and what to do
  yield* Console.log(yield* Cache.inspect("user:42")) // one entry: its times, its size, its lease
  yield* Stream.runForEach(Cache.keys("user:*"), Console.log)
})

export const follow = Stream.runForEach(Cache.events, (event) =>
  event._tag === "degraded" ? Effect.logError(`No cache: ${event.reason}`) : Effect.void
)
