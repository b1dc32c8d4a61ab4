import { Console, Context, Effect, Layer } from "effect"
import { Cache, MemoryCache } from "effect-larder"

class Connection extends Context.Tag("Connection")<
  Connection,
  { readonly query: Effect.Effect<string, string> }
>() {}

/** Opened for a request, closed with it. */
const ConnectionLive = Layer.scoped(
  Connection,
  Effect.gen(function* () {
    let isOpen = true
    yield* Effect.addFinalizer(() => Effect.sync(() => (isOpen = false)))
    const rows = Effect.suspend(() => (isOpen ? Effect.succeed("rows") : Effect.fail("closed")))
    return { query: Effect.delay(rows, "10 millis") }
  })
)

const loadReport = Effect.flatMap(Connection, ({ query }) => query)
const report = Cache.getOrCreate("report", loadReport, {
  ttl: "20 millis",
  staleWhileRevalidate: "1 hour"
})
const request = Effect.provide(report, ConnectionLive)

const program = Effect.gen(function* () {
  yield* request
  yield* Effect.sleep("30 millis")
  yield* request // stale: answered at once. The connection closes, and the refresh is left with it
  yield* Effect.sleep("100 millis")
  const { loadFailures, loads } = yield* Cache.counters
  yield* Console.log(`${loads} loads, ${loadFailures} failed`)
})

Effect.runPromise(program.pipe(Effect.provide(MemoryCache.layer())))
