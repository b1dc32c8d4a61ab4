// A holder that stands still for too long, and a row that refuses what it brings.
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Console, Effect } from "effect"
import { DistributedLock, MemoryLock } from "effect-larder"

/** Writes, unless a later holder of the lock has been here. */
const write = (balance: number, fence: bigint) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const rows = yield* sql`
      UPDATE account SET balance = ${balance}, fence = ${fence}
      WHERE id = 1 AND fence <= ${fence} RETURNING id`
    return rows.length === 1 ? "written" : "refused"
  })

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE account (id INTEGER, balance INTEGER, fence INTEGER)`
  yield* sql`INSERT INTO account VALUES (1, 0, 0)`

  // Not renewed, and so it is lost: as in a process that is paused.
  const late = yield* DistributedLock.acquire("account:1", { duration: "100 millis", renew: false })
  const next = yield* DistributedLock.acquire("account:1")
  yield* Console.log(`the first is told: ${(yield* Effect.flip(late.lost)).reason}`)

  yield* Console.log(`the second writes 200: ${yield* write(200, next.fence)}`)
  yield* Console.log(`the first writes 100:  ${yield* write(100, late.fence)}`)
  const [row] = yield* sql<{ balance: number }>`SELECT balance FROM account`
  yield* Console.log(`the balance is ${row?.balance}`)
}).pipe(Effect.scoped)

const SqlLive = SqliteClient.layer({ filename: ":memory:" })
Effect.runPromise(program.pipe(Effect.provide([SqlLive, MemoryLock.layer])))
