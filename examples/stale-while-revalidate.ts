import { Console, Duration, Effect, Fiber, Layer, TestClock, TestContext } from "effect"
import { Cache, MemoryCache } from "effect-larder"

// #region life
let edition = 0
const loadNews = Effect.delay(
  Effect.sync(() => ++edition),
  "2 seconds"
)

const news = Cache.getOrCreate("news", loadNews, {
  ttl: "1 minute",
  staleWhileRevalidate: "10 minutes",
  beta: 0
})

const read = (when: string) =>
  Effect.gen(function* () {
    const [took, found] = yield* Effect.timed(news)
    yield* Console.log(`${when}: edition ${found}, in ${Duration.toSeconds(took)} s`)
  })

const program = Effect.gen(function* () {
  // The first reader waits for the creator. Time is the test clock's, so nobody else does.
  const first = yield* Effect.fork(read("nothing cached "))
  yield* TestClock.adjust("2 seconds")
  yield* Fiber.join(first)

  yield* TestClock.adjust("30 seconds")
  yield* read("fresh          ")

  yield* TestClock.adjust("31 seconds")
  yield* read("stale          ")
  yield* read("being rebuilt  ")

  yield* TestClock.adjust("2 seconds")
  yield* read("rebuilt        ")

  yield* TestClock.adjust("12 minutes")
  const last = yield* Effect.fork(read("expired        "))
  yield* TestClock.adjust("2 seconds")
  yield* Fiber.join(last)

  const { hits, loads, misses, stale } = yield* Cache.counters
  yield* Console.log(`${misses} misses, ${hits} hits, ${stale} stale: ${loads} loads`)
})
// #endregion

Effect.runPromise(
  program.pipe(Effect.provide(Layer.provideMerge(MemoryCache.layer(), TestContext.TestContext)))
)
