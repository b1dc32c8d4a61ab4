// 500 requests for one product whose cache entry has just expired: a Map with a ttl, as people
// write it, against Cache.getOrCreate.
import { NodeRuntime } from "@effect/platform-node"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Console, Duration, Effect } from "effect"
import { Cache, MemoryCache } from "effect-larder"

const requests = 500
const ttl = Duration.millis(200)
const product = 42

const prepare = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE review (product INTEGER, stars INTEGER)`
  yield* sql`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO review SELECT i % 1000, 1 + i % 5 FROM n`
  yield* sql`CREATE INDEX review_product ON review (product)`
})

let queries = 0

/** Real SQL, and 50 ms beside it: a busy database elsewhere takes them, SQLite would block for them. */
const loadRating = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  queries++
  const rows = yield* sql<{ reviews: number; stars: number }>`
    SELECT COUNT(*) AS reviews, AVG(stars) AS stars FROM review WHERE product = ${product}`
  yield* Effect.sleep("50 millis")
  return rows[0]
})

const entries = new Map<string, { readonly rating: unknown; readonly expiresAt: number }>()

const naive = Effect.gen(function* () {
  const entry = entries.get("rating")
  if (entry !== undefined && Date.now() < entry.expiresAt) return entry.rating
  const rating = yield* loadRating
  entries.set("rating", { rating, expiresAt: Date.now() + Duration.toMillis(ttl) })
  return rating
})

const larder = Cache.getOrCreate("rating", loadRating, { ttl })

const stampede = <A, E, R>(name: string, request: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    yield* request
    yield* Effect.sleep(Duration.sum(ttl, "100 millis"))
    queries = 0
    const all = Array.from({ length: requests }, () => request)
    const [time, ratings] = yield* Effect.timed(Effect.all(all, { concurrency: "unbounded" }))
    const answers = new Set(ratings.map((rating) => JSON.stringify(rating)))
    if (answers.size !== 1) return yield* Effect.dieMessage(`${name}: ${answers.size} answers`)
    return { name, queries, millis: Math.round(Duration.toMillis(time)) }
  })

type Result = Effect.Effect.Success<ReturnType<typeof stampede>>

const isColoured = process.stdout.isTTY && process.env["NO_COLOR"] === undefined
const paint = (code: number, text: string) =>
  isColoured ? `\u001b[${code}m${text}\u001b[0m` : text

const row = (name: string, ...cells: ReadonlyArray<string>) =>
  `  ${name.padEnd(20)}${cells.map((cell) => cell.padStart(12)).join("")}`

const bar = ({ name, queries }: Result, most: number, colour: number) => {
  const length = (queries / most) * 48
  const blocks = length < 1 ? "▏" : "█".repeat(Math.round(length))
  return `  ${name.padEnd(20)}${paint(colour, blocks)} ${queries}`
}

const report = (before: Result, after: Result) => {
  const cut = Number((100 * (1 - after.queries / before.queries)).toFixed(1))
  return [
    row("", "requests", "queries", "time"),
    ...[before, after].map(({ millis, name, queries }) =>
      row(name, `${requests}`, `${queries}`, `${millis} ms`)
    ),
    "",
    bar(before, before.queries, 31),
    bar(after, before.queries, 32),
    "",
    paint(1, `cut DB load by ${cut}% (${before.queries} -> ${after.queries} queries)`)
  ].join("\n")
}

const program = Effect.gen(function* () {
  yield* prepare
  yield* Console.log(
    `${requests} requests are about to ask for one product at once, just after its entry has\n` +
      "expired: first of a Map with a ttl, then of Cache.getOrCreate.\n"
  )
  const before = yield* stampede("Map with a ttl", naive)
  const after = yield* stampede("Cache.getOrCreate", larder)
  yield* Console.log(report(before, after))
})

program.pipe(
  Effect.provide([SqliteClient.layer({ filename: ":memory:" }), MemoryCache.layer()]),
  NodeRuntime.runMain
)
