// 500 requests for one product whose entry has just expired: a Map with a ttl, as people write it,
// against Cache.getOrCreate.
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Console, Duration, Effect } from "effect"
import { Cache, MemoryCache } from "effect-larder"
import { counted, loadRating, prepare } from "./database.js"
import { report } from "./report.js"

const requests = 500
const ttl = Duration.millis(200)

const load = loadRating(42, "50 millis")

const entries = new Map<string, { readonly rating: unknown; readonly expiresAt: number }>()

const naive = Effect.gen(function* () {
  const entry = entries.get("rating")
  if (entry !== undefined && Date.now() < entry.expiresAt) return entry.rating
  const rating = yield* load
  entries.set("rating", { rating, expiresAt: Date.now() + Duration.toMillis(ttl) })
  return rating
})

const larder = Cache.getOrCreate("rating", load, { ttl })

const stampede = <A, E, R>(name: string, request: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    yield* request
    yield* Effect.sleep(Duration.sum(ttl, "100 millis"))
    const all = Array.from({ length: requests }, () => request)
    const [time, { answers, queries }] = yield* Effect.timed(counted(all))
    if (answers.length !== 1) return yield* Effect.dieMessage(`${name}: ${answers.length} answers`)
    return { name, requests, queries, millis: Math.round(Duration.toMillis(time)) }
  })

export const oneProcess = Effect.gen(function* () {
  yield* prepare
  yield* Console.log(
    `${requests} requests are about to ask for one product at once, just after its entry has\n` +
      "expired: first of a Map with a ttl, then of Cache.getOrCreate.\n"
  )
  const before = yield* stampede("Map with a ttl", naive)
  const after = yield* stampede("Cache.getOrCreate", larder)
  yield* Console.log(report([before, after]))
}).pipe(Effect.provide([SqliteClient.layer({ filename: ":memory:" }), MemoryCache.layer()]))
