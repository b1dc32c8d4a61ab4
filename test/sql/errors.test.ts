/** What a database's errors are to those who use a storage: typed, with a remedy, and without a secret. */
import { expect, it, layer } from "@effect/vitest"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Storage, type StorageError } from "effect-larder"
import { SqlStorage } from "effect-larder/sql"
import { storageError } from "../../src/sql/faults.js"
import { mysql } from "../../src/sql/mysql.js"
import { postgres } from "../../src/sql/postgres.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startMariadb } from "../servers/mariadb.js"
import { startPostgres } from "../servers/postgres.js"
import type { SqlServer } from "../servers/sqlServer.js"
import { mariadbClient, postgresClient, sqliteClient, sqliteFile } from "./databases.js"

const secret = "s3cret-value"

/** Nothing of it tells a value. */
const expectError = (
  error: StorageError,
  reason: StorageError["reason"],
  detail: RegExp | string
) => {
  expect(error._tag).toBe("StorageError")
  expect(error.reason).toBe(reason)
  expect(error.detail).toMatch(detail)
  const { cause } = error
  expect(cause).toBeInstanceOf(Error)
  const told = [error.message, JSON.stringify(error), String((cause as Error).stack)].join()
  expect(told).not.toContain(secret)
}

const put = Storage.set(`key of ${secret}`, secret, { metadata: { secret } })

it.live("a file that may only be read is read, and writing there is ReadOnly", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const at = (readonly: boolean) =>
      Effect.provide(Layer.provide(SqlStorage.layer(), sqliteClient({ filename, readonly })))
    yield* at(false)(Storage.set("brief", 1, { ttl: 1 }))
    yield* at(false)(Storage.set("k", 1))
    yield* Effect.gen(function* () {
      expect(yield* Storage.get("k")).toEqual(Option.some(1))
      // It is met, and cannot be removed: nobody has to know.
      expect(yield* Storage.getMany(["brief", "k"])).toEqual([Option.none(), Option.some(1)])
      expect(yield* Storage.get("brief")).toEqual(Option.none())
      expectError(yield* Effect.flip(put), "ReadOnly", /may not be written: change their perm/)
      expect((yield* Effect.flip(Storage.cleanup())).reason).toBe("ReadOnly")
      expect((yield* Effect.flip(Storage.delete("k"))).reason).toBe("ReadOnly")
      const several = Storage.setMany([1, 2, 3].map((n) => [`${n}`, n] as const))
      expect((yield* Effect.flip(several)).reason).toBe("ReadOnly")
    }).pipe(at(true))
  }).pipe(Effect.scoped)
)

it.live("a file that is as large as it may be is Full, keeps what it has, and takes no half", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const storage = yield* Layer.build(SqlStorage.layer())
      yield* sql`PRAGMA max_page_count = 30`
      yield* Effect.gen(function* () {
        yield* Storage.set("k", 1)
        const large = "x".repeat(200_000)
        expectError(
          yield* Effect.flip(Storage.set(`k ${secret}`, large + secret)),
          "Full",
          /max_page_count.*make room/
        )
        const many = Array.from({ length: 1_000 }, (_, index) => [`k${index}`, large] as const)
        expectError(yield* Effect.flip(Storage.setMany(many)), "Full", /make room/)
        expect(yield* Storage.keys()).toEqual(["k"])
        yield* Storage.set("l", 1)
        expect(yield* Storage.get("k")).toEqual(Option.some(1))
      }).pipe(Effect.provide(storage))
    }).pipe(Effect.provide(sqliteClient({ filename })))
  }).pipe(Effect.scoped)
)

it.live("a file that another one holds for too long is a Timeout", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const holder = yield* Layer.build(sqliteClient({ filename }))
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const storage = yield* Layer.build(SqlStorage.layer())
      yield* sql`PRAGMA busy_timeout = 50`
      const held = Context.get(holder, SqlClient.SqlClient)
      yield* held`BEGIN IMMEDIATE`
      const error = yield* Effect.flip(Effect.provide(put, storage))
      expectError(error, "Timeout", /another process held the file for longer/)
      yield* held`ROLLBACK`
      yield* Effect.provide(put, storage)
    }).pipe(Effect.provide(sqliteClient({ filename })))
  }).pipe(Effect.scoped)
)

const several = Storage.setMany(Array.from({ length: 700 }, (_, index) => [`k${index}`, 1]))

it.live(
  "a commit that fails leaves no transaction open, in which what is set next would be lost",
  () =>
    Effect.gen(function* () {
      const filename = yield* sqliteFile
      // Without WAL, who commits waits for those who read.
      const journaled = sqliteClient({ filename, disableWAL: true })
      const reader = Context.get(yield* Layer.build(journaled), SqlClient.SqlClient)
      yield* Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const storage = yield* Layer.build(SqlStorage.layer())
        yield* sql`PRAGMA busy_timeout = 50`
        yield* reader`BEGIN`
        yield* reader`SELECT * FROM larder_entries`
        expect((yield* Effect.flip(Effect.provide(several, storage))).reason).toBe("Timeout")
        yield* reader`COMMIT`
        yield* Effect.provide(Storage.set("k", 1), storage)
        yield* Effect.provide(several, storage)
      }).pipe(Effect.provide(Layer.fresh(journaled)), Effect.scoped)
      expect(yield* reader`SELECT count(*) AS n FROM larder_entries`).toEqual([{ n: 701 }])
    }).pipe(Effect.scoped)
)

it.live("who waits for a transaction of SQLite can be interrupted", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const storage = yield* Layer.build(SqlStorage.layer())
      const open = yield* Effect.fork(sql.withTransaction(Effect.sleep("2 seconds")))
      yield* Effect.sleep(50)
      const waiting = Effect.timeoutOption(Effect.provide(several, storage), 50)
      const [waited] = yield* Effect.timed(waiting)
      expect(Duration.toMillis(waited)).toBeLessThan(1_000)
      yield* Fiber.join(open)
    }).pipe(Effect.provide(sqliteClient({ filename })))
  }).pipe(Effect.scoped)
)

it.live("a file that has been closed is an error for all who come, and nobody waits for ever", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const storage = yield* Effect.scoped(
      Layer.build(Layer.provide(SqlStorage.layer(), sqliteClient({ filename })))
    )
    for (const operation of [several, Storage.get("k"), several]) {
      const error = yield* Effect.flip(
        Effect.provide(operation as Effect.Effect<unknown, StorageError, Storage>, storage)
      )
      expectError(error, "Refused", /The database connection is not open/)
    }
  }).pipe(Effect.scoped)
)

it.live("a table that goes, or changes, meanwhile is Refused", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    yield* Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const storage = yield* Layer.build(SqlStorage.layer())
      yield* sql`DROP TABLE larder_entries`
      const error = yield* Effect.flip(Effect.provide(put, storage))
      expectError(error, "Refused", /SQLITE_ERROR: no such table: larder_entries/)
    }).pipe(Effect.provide(sqliteClient({ filename })))
  }).pipe(Effect.scoped)
)

/** Outside of the transaction around it. */
const elsewhere = <A>(effect: Effect.Effect<A, unknown>) =>
  Effect.promise(() => Effect.runPromise(effect))

class Server extends Context.Tag("test/Server")<Server, SqlServer>() {}

/** A client with another user's name, or another password. */
const as = (server: SqlServer, login: Partial<SqlServer>): SqlServer => ({ ...server, ...login })

describeWithServer("PostgreSQL", ["postgres"], () => {
  const own = startPostgres({ own: true, args: ["-c", "lock_timeout=200ms"] })
  layer(Layer.scoped(Server, own), { excludeTestServices: true, timeout: 60_000 })((it) => {
    const client = Layer.unwrapEffect(Effect.map(Server, postgresClient))

    it.scoped("tells apart what a server refuses, and when it is gone", () =>
      Effect.gen(function* () {
        const server = yield* Server
        const sql = yield* SqlClient.SqlClient
        yield* Layer.build(SqlStorage.layer())
        const password = Redacted.make(`${secret}-password`)
        yield* sql.unsafe(`CREATE ROLE reader LOGIN PASSWORD '${Redacted.value(password)}'`)
        const reader = as(server, { username: "reader", password })

        const noRight = yield* Effect.flip(
          Layer.build(Layer.provide(SqlStorage.layer({ table: "nowhere" }), postgresClient(reader)))
        )
        expectError(
          noRight as StorageError,
          "Denied",
          /grant .*42501: permission denied for schema/
        )

        const ofReader = Layer.provide(SqlStorage.layer(), postgresClient(reader))
        const denied = yield* Effect.flip(Effect.provide(put, ofReader))
        expectError(denied as StorageError, "Denied", /grant SELECT.*permission denied for table/)

        yield* sql`GRANT ALL ON larder_entries TO reader`
        yield* sql`ALTER ROLE reader SET default_transaction_read_only = on`
        const readOnly = yield* Effect.flip(Effect.provide(put, ofReader))
        expectError(readOnly as StorageError, "ReadOnly", /connect to the primary/)

        const wrong = as(reader, { password: Redacted.make(secret) })
        const refused = yield* Effect.flip(Layer.build(postgresClient(wrong)))
        expectError(
          storageError(postgres, "layer", refused.cause),
          "Denied",
          /does not accept this user.*28P01/
        )

        const storage = yield* Layer.build(SqlStorage.layer())
        const late = yield* sql.withTransaction(
          Effect.zipRight(
            sql`LOCK TABLE larder_entries IN ACCESS EXCLUSIVE MODE`,
            elsewhere(Effect.flip(Effect.provide(put, storage)))
          )
        )
        expectError(late, "Timeout", /lock_timeout/)

        // A value that breaks a rule of the table's owner is quoted by the server.
        yield* sql`ALTER TABLE larder_entries ADD CHECK (length(value) < 5)`
        const refusal = yield* Effect.flip(Effect.provide(put, storage))
        expectError(refusal, "Refused", /error 23514\. Nothing was executed/)
        yield* sql`ALTER TABLE larder_entries DROP CONSTRAINT larder_entries_value_check`

        yield* server.kill
        const gone = yield* Effect.flip(Effect.provide(put, storage))
        expectError(gone, "Unavailable", /no connection to the server/)
        yield* server.restart
        yield* Effect.provide(put, storage)
      }).pipe(Effect.provide(client))
    )
  })
})

describeWithServer("MariaDB", ["mariadbd"], () => {
  const own = startMariadb({ own: true, args: ["--innodb-lock-wait-timeout=1"] })
  layer(Layer.scoped(Server, own), { excludeTestServices: true, timeout: 60_000 })((it) => {
    const client = Layer.unwrapEffect(Effect.map(Server, mariadbClient))

    it.scoped("tells apart what a server refuses, and when it is gone", () =>
      Effect.gen(function* () {
        const server = yield* Server
        const sql = yield* SqlClient.SqlClient
        const storage = yield* Layer.build(SqlStorage.layer())

        const wrong = as(server, { password: Redacted.make(secret) })
        const refused = yield* Effect.flip(Layer.build(mariadbClient(wrong)))
        expectError(
          storageError(mysql, "layer", refused.cause),
          "Denied",
          /does not accept this user.*1045/
        )

        yield* Effect.provide(put, storage)
        const late = yield* sql.withTransaction(
          Effect.zipRight(
            sql`SELECT * FROM larder_entries FOR UPDATE`,
            elsewhere(Effect.flip(Effect.provide(put, storage)))
          )
        )
        expectError(late, "Timeout", /innodb_lock_wait_timeout/)

        yield* sql`DROP TABLE larder_entries`
        const dropped = yield* Effect.flip(Effect.provide(put, storage))
        expectError(dropped, "Refused", /error 1146: /)
        yield* Layer.build(SqlStorage.layer())

        yield* sql`ALTER TABLE larder_entries ADD CHECK (length(value) < 5)`
        const refusal = yield* Effect.flip(Effect.provide(put, storage))
        expectError(refusal, "Refused", /error 4025\. Nothing was executed/)
        yield* sql`DROP TABLE larder_entries`
        yield* Layer.build(SqlStorage.layer())

        yield* server.kill
        const gone = yield* Effect.flip(Effect.provide(put, storage))
        expectError(gone, "Unavailable", /no connection to the server/)
        yield* server.restart
        yield* Effect.provide(put, storage)
      }).pipe(Effect.provide(client))
    )
  })
})
