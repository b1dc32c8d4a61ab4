// One of the processes. What it prints is read by main.ts.
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Cache } from "effect-larder"
import { RedisCacheLive } from "effect-larder/redis"

const loadReport = Effect.succeed({ title: "Sales", rows: 12_000 }).pipe(Effect.delay("200 millis"))
const report = Cache.getOrCreate("report", loadReport, { ttl: "1 minute" })

const program = Effect.gen(function* () {
  const requests = Array.from({ length: 100 }, () => report)
  const answers = yield* Effect.all(requests, { concurrency: "unbounded" })
  const { loads } = yield* Cache.counters
  yield* Console.log(JSON.stringify({ answers: answers.length, loads }))
})

program.pipe(Effect.provide(RedisCacheLive), NodeRuntime.runMain)
