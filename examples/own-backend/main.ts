import { Console, Effect } from "effect"
import { Cache } from "effect-larder"
import * as MapBackend from "./MapBackend.js"

let queries = 0
const loadReport = Effect.sync(() => `report ${++queries}`).pipe(Effect.delay("50 millis"))
const report = Cache.getOrCreate("report", loadReport, { ttl: "1 minute" })

const program = Effect.gen(function* () {
  const backend = MapBackend.make()
  // Each has a cache of its own over the one backend, as two processes would.
  const process = Effect.all([report, report, report], { concurrency: "unbounded" }).pipe(
    Effect.provide(Cache.fromBackend(backend))
  )
  const reports = yield* Effect.all([process, process], { concurrency: "unbounded" })
  yield* Console.log(`2 processes: ${reports.flat().join(", ")}`)
  yield* Console.log(`queries: ${queries}`)
})

Effect.runPromise(program)
