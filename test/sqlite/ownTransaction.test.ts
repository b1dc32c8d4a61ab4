/** On a file's one connection, who writes by itself is no part of another's transaction. */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import { SqlError } from "@effect/sql/SqlError"
import * as Statement from "@effect/sql/Statement"
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queries from "../../src/sql/queries.js"
import { sqlite } from "../../src/sql/sqlite.js"
import { open } from "../../src/sqlite/SqliteFile.js"

const inMemory = { filename: ":memory:", busyTimeout: 1_000, synchronous: "normal" } as const

it.scopedLive("what is written beside a transaction stands when that is rolled back", () =>
  Effect.gen(function* () {
    const { connection, sql } = yield* open(inMemory)
    const { rows, together } = Queries.make(sql, sqlite, connection)
    const add = (name: string) => rows("INSERT INTO names VALUES (?)", [name])
    yield* rows("CREATE TABLE names (name TEXT)", [])
    const [begun, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<never, SqlError>()]
    const failing = together(
      Effect.all([add("within"), Deferred.succeed(begun, undefined), Deferred.await(goOn)])
    )
    const transaction = yield* Effect.fork(Effect.exit(failing))
    yield* Deferred.await(begun)
    const beside = yield* Effect.fork(add("beside"))
    yield* Effect.repeatN(Effect.yieldNow(), 20)
    yield* Deferred.fail(goOn, new SqlError({ cause: "not today" }))
    yield* Fiber.join(transaction)
    yield* Fiber.join(beside)
    expect(yield* rows("SELECT name FROM names", [])).toEqual([{ name: "beside" }])
  })
)

// Asks whether a transaction is under way │ BEGIN of another │ executes: it would be rolled back with it.
it.scopedLive("a transaction begins when what was handed to the driver has been executed", () =>
  Effect.gen(function* () {
    const { connection, sql } = yield* open(inMemory)
    const gate = yield* Deferred.make<void>()
    const slow: typeof connection = {
      ...connection,
      execute: (...statement) =>
        Effect.zipRight(Deferred.await(gate), connection.execute(...statement))
    }
    yield* sql`CREATE TABLE names (name TEXT)`
    const { rows, together } = Queries.make(sql, sqlite, slow)
    const beside = yield* Effect.fork(rows("INSERT INTO names VALUES (?)", ["beside"]))
    yield* Effect.repeatN(Effect.yieldNow(), 20)
    const goOn = yield* Deferred.make<never, SqlError>()
    const transaction = yield* Effect.fork(Effect.exit(together(Deferred.await(goOn))))
    yield* Effect.repeatN(Effect.yieldNow(), 20)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(beside)
    yield* Deferred.fail(goOn, new SqlError({ cause: "not today" }))
    yield* Fiber.join(transaction)
    expect(yield* sql`SELECT name FROM names`).toEqual([{ name: "beside" }])
  })
)

// Waits for one transaction │ BEGIN of the next │ executes: it would be rolled back with that.
it.scopedLive("who waited for a transaction comes before the next one", () =>
  Effect.gen(function* () {
    const { connection, sql } = yield* open(inMemory)
    yield* sql`CREATE TABLE names (name TEXT)`
    const gate = yield* Deferred.make<void>()
    const slow: typeof connection = {
      ...connection,
      execute: (...statement) =>
        Effect.zipRight(Deferred.await(gate), connection.execute(...statement))
    }
    // As the driver's client has it: who only executes gives its permit back before it does.
    const permit = yield* Effect.makeSemaphore(1)
    const client = yield* SqlClient.make({
      acquirer: permit.withPermits(1)(Effect.succeed(slow)),
      transactionAcquirer: Effect.as(
        Effect.acquireRelease(permit.take(1), () => permit.release(1)),
        connection
      ),
      compiler: Statement.makeCompilerSqlite(),
      spanAttributes: []
    })
    const { rows, together } = Queries.make(client, sqlite, connection)
    const [begun, ends] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const first = yield* Effect.fork(
      together(Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(ends)))
    )
    yield* Deferred.await(begun)
    const beside = yield* Effect.fork(rows("INSERT INTO names VALUES (?)", ["beside"]))
    const goOn = yield* Deferred.make<never, SqlError>()
    yield* Effect.repeatN(Effect.yieldNow(), 20)
    const next = yield* Effect.fork(Effect.exit(together(Deferred.await(goOn))))
    yield* Deferred.succeed(ends, undefined)
    yield* Fiber.join(first)
    yield* Effect.repeatN(Effect.yieldNow(), 20)
    yield* Deferred.succeed(gate, undefined)
    yield* Fiber.join(beside)
    yield* Deferred.fail(goOn, new SqlError({ cause: "not today" }))
    yield* Fiber.join(next)
    expect(yield* sql`SELECT name FROM names`).toEqual([{ name: "beside" }])
  }).pipe(Effect.provide(Reactivity.layer))
)
