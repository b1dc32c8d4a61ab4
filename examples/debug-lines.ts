// Two reports, cached for a minute; the log says of each lookup whether the database was asked.
import { Effect, HashMap, Layer, Logger, LogLevel, Schema } from "effect"
import { CacheRegion, MemoryCache } from "effect-larder"

// #region reports
const Report = Schema.Struct({ rows: Schema.Number })
const reports = CacheRegion.make({ name: "analytics", value: Report, ttl: "1 minute" })

const report = (what: string, key: string, query: Effect.Effect<typeof Report.Type>) =>
  Effect.gen(function* () {
    let isHit = true
    const asked = Effect.suspend(() => {
      isHit = false
      return Effect.zipRight(Effect.logDebug(`${what} cache MISS, querying DB`), query)
    })
    const found = yield* reports.getOrCreate(key, asked)
    // Or somebody else has asked just now.
    if (isHit) yield* Effect.logDebug(`${what} cache HIT`)
    return found
  })

// At `<prefix>:analytics:performance:24`.
const performance = (hours: number) =>
  report("Performance metrics", `performance:${hours}`, Effect.succeed({ rows: hours })).pipe(
    Effect.annotateLogs({ hours })
  )

// At `<prefix>:analytics:bottlenecks:10:5`.
const bottlenecks = (limit: number, min_executions: number) =>
  report(
    "Bottleneck analysis",
    `bottlenecks:${limit}:${min_executions}`,
    Effect.succeed({ rows: limit })
  ).pipe(Effect.annotateLogs({ limit, min_executions }))
// #endregion

const program = Effect.gen(function* () {
  yield* performance(24)
  yield* performance(24)
  yield* performance(1)
  yield* bottlenecks(10, 5)
  yield* bottlenecks(10, 5)
})

const plain = Logger.make(({ annotations, logLevel, message }) => {
  const fields = HashMap.toEntries(annotations).map(([name, value]) => `${name}=${value}`)
  console.log([logLevel.label, ...fields.toSorted(), JSON.stringify(String(message))].join(" "))
})

const logging = Logger.replace(Logger.defaultLogger, plain)

Effect.runPromise(
  program.pipe(
    Effect.provide(Layer.merge(MemoryCache.layer(), logging)),
    Logger.withMinimumLogLevel(LogLevel.Debug)
  )
)
