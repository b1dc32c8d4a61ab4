import { Console, Duration, Effect, Fiber, Layer, TestClock, TestContext } from "effect"
import { Cache, MemoryCache } from "effect-larder"

// #region outage
let edition = 0
let loadNews: Effect.Effect<number, string> = Effect.sync(() => ++edition)

const read = (when: string) =>
  Effect.gen(function* () {
    const news = Cache.getOrCreate("news", loadNews, {
      ttl: "1 minute",
      staleIfError: "1 hour",
      softTimeout: "200 millis"
    })
    const [took, found] = yield* Effect.timed(Effect.merge(news))
    yield* Console.log(`${when}: ${found}, in ${Duration.toMillis(took)} ms`)
  })

const program = Effect.gen(function* () {
  yield* read("all is well         ")
  yield* TestClock.adjust("2 minutes")

  loadNews = Effect.fail("no connection")
  yield* read("expired, and down   ")

  // Time is the test clock's: the reader waits, and nobody else does.
  loadNews = Effect.delay(
    Effect.sync(() => ++edition),
    "5 seconds"
  )
  const waiting = yield* Effect.fork(read("expired, and slow   "))
  yield* TestClock.adjust("200 millis")
  yield* Fiber.join(waiting)
  yield* TestClock.adjust("5 seconds")
  yield* read("5 seconds later     ")

  loadNews = Effect.fail("no connection")
  yield* TestClock.adjust("2 hours")
  yield* read("down for two hours  ")

  const { loadFailures, loads, stale } = yield* Cache.counters
  yield* Console.log(`${loads} loads, ${loadFailures} of them failed: ${stale} stale`)
})
// #endregion

Effect.runPromise(
  program.pipe(Effect.provide(Layer.provideMerge(MemoryCache.layer(), TestContext.TestContext)))
)
