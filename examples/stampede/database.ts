// What a stampede hits: a database, with real SQL.
import { SqlClient } from "@effect/sql"
import { type Duration, Effect } from "effect"

export const prepare = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE review (product INTEGER, stars INTEGER)`
  yield* sql`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
    INSERT INTO review SELECT i % 1000, 1 + i % 5 FROM n`
  yield* sql`CREATE INDEX review_product ON review (product)`
})

let queries = 0

/** Time passes beside the SQL: a busy database elsewhere takes it, SQLite would block for it. */
export const loadRating = (product: number, takes: Duration.DurationInput) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    queries++
    const rows = yield* sql<{ reviews: number; stars: number }>`
      SELECT COUNT(*) AS reviews, AVG(stars) AS stars FROM review WHERE product = ${product}`
    yield* Effect.sleep(takes)
    return rows[0]
  })

/** The value of an effect as text, and how many queries of this process it cost. */
export const counted = <A, E, R>(requests: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.suspend(() => {
    const before = queries
    return Effect.map(Effect.all(requests, { concurrency: "unbounded" }), (answers) => ({
      answers: [...new Set(answers.map((answer) => JSON.stringify(answer)))],
      queries: queries - before
    }))
  })
