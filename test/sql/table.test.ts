/** What a storage does in a database: its table, its statements, its time. */
import { expect, layer } from "@effect/vitest"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Statement from "@effect/sql/Statement"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import { Storage } from "effect-larder"
import { SqlStorage } from "effect-larder/sql"
import { describeWithServer } from "../servers/describeWithServer.js"
import { databases } from "./databases.js"

/** What was sent meanwhile. */
const sentBy = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const sent: Array<string> = []
    return Statement.withTransformer(effect, (statement) => {
      sent.push(statement.compile()[0].trim().split(" ")[0] ?? "")
      return Effect.succeed(statement)
    }).pipe(Effect.as(sent))
  })

const build = (options: SqlStorage.SqlStorageOptions) => Layer.build(SqlStorage.layer(options))

for (const { client, needs, title } of databases) {
  describeWithServer(title, needs, () => {
    layer(client, { excludeTestServices: true, timeout: 60_000 })((it) => {
      const using = (options: SqlStorage.SqlStorageOptions) =>
        Effect.provide(SqlStorage.layer(options))

      it.scoped("a get, a set, a delete and an exists are one statement each", () =>
        Effect.gen(function* () {
          yield* Storage.set("k", 1)
          expect(yield* sentBy(Storage.set("k", 2))).toEqual(["INSERT"])
          expect(yield* sentBy(Storage.get("k"))).toEqual(["SELECT"])
          expect(yield* sentBy(Storage.get("none"))).toEqual(["SELECT"])
          expect(yield* sentBy(Storage.exists("k"))).toEqual(["SELECT"])
          expect(yield* sentBy(Storage.getMany(["k", "l", "m"]))).toEqual(["SELECT"])
          expect(yield* sentBy(Storage.delete("k"))).toEqual(["DELETE"])
        }).pipe(using({ table: "statements" }))
      )

      it.scoped("where the table is as it should be, it is looked at and nothing else", () =>
        Effect.gen(function* () {
          yield* build({ table: "prepared" })
          expect(yield* sentBy(build({ table: "prepared" }))).toEqual(["SELECT"])
        })
      )

      it.scoped("a table that was dropped is made again", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* build({ table: "Dropped" })
          yield* sql`DROP TABLE ${sql("Dropped")}`
          yield* using({ table: "Dropped" })(Storage.set("k", 1))
        })
      )

      it.scoped("two tables of one database have nothing to do with each other", () =>
        Effect.gen(function* () {
          yield* using({ table: "one" })(Storage.set("k", 1))
          yield* using({ table: "other" })(Storage.set("k", 2))
          expect(yield* using({ table: "one" })(Storage.get("k"))).toEqual(Option.some(1))
        })
      )

      it.scoped(
        "a table of another shape is an error that says what to do, and is left alone",
        () =>
          Effect.gen(function* () {
            const sql = yield* SqlClient.SqlClient
            yield* sql`CREATE TABLE orders (id INTEGER, value VARCHAR(20))`
            yield* sql`INSERT INTO orders (id, value) VALUES (1, 'theirs')`
            const error = yield* Effect.flip(build({ table: "orders" }))
            expect(error.reason).toBe("WrongTable")
            expect(error.detail).toMatch(
              /^the table orders is not one of this storage: it has no column/
            )
            expect(error.detail).toContain("Expected are the columns id")
            expect(error.detail).toContain("name another table (option table)")
            expect(yield* sql`SELECT value FROM orders`).toEqual([{ value: "theirs" }])
            yield* sql`CREATE TABLE typed (
            id INTEGER PRIMARY KEY, long_key INTEGER, version INTEGER, created_at INTEGER,
            expires_at INTEGER, metadata INTEGER, value INTEGER)`
            const other = yield* Effect.flip(build({ table: "typed" }))
            expect(other.detail).toMatch(/its column id is of type \S+, not /)
          })
      )

      it.scoped("a name that could be more than a name is no table, whatever it would do", () =>
        Effect.forEach(
          ["", "a b", 'a"; DROP TABLE one; --', "a`b", "1a", "schema.a", "é", "a".repeat(49)],
          (table) =>
            Effect.gen(function* () {
              const exit = yield* Effect.exit(build({ table }))
              const message = Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "built"
              expect(message).toContain("allowed: 1 to 48 characters out of A-Z a-z 0-9 _")
            })
        )
      )

      it.scoped("what looks like SQL is a text like any other", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const texts = [
            "'; DROP TABLE hostile; --",
            '"; DROP TABLE hostile; --',
            "` OR 1=1 -- ",
            "' OR '1'='1",
            "\\'; DELETE FROM hostile; #",
            "$1 ? ?? :a @b ${c}",
            "%' OR id LIKE '%",
            "1); DELETE FROM hostile; --",
            "x'00' || char(0)"
          ]
          yield* Storage.set("sentinel", "here")
          for (const text of texts) {
            yield* Storage.set(text, text, { metadata: { [text]: text } })
            const entry = Option.getOrThrow(yield* Storage.getEntry(text))
            expect(entry.value).toBe(text)
            expect(entry.metadata).toEqual({ [text]: text })
            yield* Storage.keys(text)
            yield* Storage.exists(`${text}none`)
            yield* Storage.view(Schema.Unknown, { prefix: text }).keys()
          }
          expect((yield* Storage.getMany(texts)).map(Option.getOrNull)).toEqual(texts)
          expect(yield* Storage.deleteMany(texts)).toBe(texts.length)
          expect(yield* Storage.keys()).toEqual(["sentinel"])
          expect((yield* sql`SELECT 1 AS one FROM hostile`).length).toBe(1)
        }).pipe(using({ table: "hostile" }))
      )

      it.scoped("entries expire by the database's clock, whatever this process's says", () =>
        Effect.gen(function* () {
          const astray = Object.assign(Clock.make(), { unsafeCurrentTimeMillis: () => 0 })
          const ours = Date.now()
          yield* Effect.withClock(Storage.set("k", 1, { ttl: "1 hour" }), astray)
          const entry = yield* Effect.withClock(Storage.getEntry("k"), astray)
          const { createdAt, expiresAt } = Option.getOrThrow(entry)
          expect(Math.abs(createdAt.epochMillis - ours)).toBeLessThan(5_000)
          expect(Option.getOrThrow(expiresAt).epochMillis - createdAt.epochMillis).toBe(3_600_000)
        }).pipe(using({ table: "timed" }))
      )

      it.scoped("keys that begin alike have an id of at most 512 bytes each, and their own", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const start = "k".repeat(500)
          const keys = Array.from({ length: 30 }, (_, index) => start + "x".repeat(index))
          yield* Storage.setMany(keys.map((key) => [key, key.length] as const))
          const ids = yield* sql<{ id: Uint8Array }>`SELECT id FROM lengthy`
          expect(Math.max(...ids.map(({ id }) => id.length))).toBe(512)
          expect(ids.length).toBe(30)
          expect(yield* Storage.keys(`${start}xx*`)).toEqual(keys.slice(2))
          expect((yield* Storage.getMany(keys)).map(Option.getOrNull)).toEqual(
            keys.map(({ length }) => length)
          )
          expect(yield* Storage.deleteMany(keys)).toBe(30)
        }).pipe(using({ table: "lengthy" }))
      )

      it.scoped("in a transaction of the user's it is set with all else, or not at all", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* Effect.exit(
            sql.withTransaction(
              Effect.gen(function* () {
                yield* Storage.set("a", 1)
                yield* Storage.setMany([
                  ["b", 1],
                  ["c", 1],
                  ["d", 1]
                ])
                expect(yield* Storage.keys()).toEqual(["a", "b", "c", "d"])
                return yield* Effect.fail("no")
              })
            )
          )
          expect(yield* Storage.keys()).toEqual([])
        }).pipe(using({ table: "transacted" }))
      )

      it.scoped("what has expired is left where it is by a transaction of the user's", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const keys = ["a", "b"]
          yield* Storage.setMany(
            keys.map((key) => [key, 1]),
            { ttl: 1 }
          )
          yield* Effect.sleep(20)
          const reads = Effect.zipRight(Storage.get("a"), Storage.getMany(keys))
          // A DELETE that fails, as in a transaction that only reads, would end it.
          expect(yield* sentBy(sql.withTransaction(reads))).toEqual(["SELECT", "SELECT"])
          expect(yield* sql`SELECT count(*) AS n FROM expiring`).toEqual([
            { n: title === "PostgreSQL" ? "2" : 2 }
          ])
          expect(yield* sentBy(reads)).toEqual(["SELECT", "DELETE", "SELECT", "DELETE"])
        }).pipe(using({ table: "expiring" }))
      )

      // SQLite has one writer at a time.
      if (needs.length > 0) {
        it.scoped("who is the victim of a deadlock tries again", () =>
          Effect.gen(function* () {
            const sql = yield* SqlClient.SqlClient
            const both = [1, 2].map((n) => [`k${n}`, 2] as const)
            const others = Array.from({ length: 200 }, (_, index) => [`other${index}`, 1] as const)
            yield* Storage.setMany([...both, ...others])
            const bytes = (text: string) => Buffer.from(text)
            const touch = (key: string) =>
              sql`UPDATE deadlocked SET version = 1 WHERE id = ${bytes(key)}`
            const runFork = Runtime.runFork(yield* Effect.runtime<Storage>())
            // It has the second one, and more besides: of the two it is not the victim. The storage
            // has the first one and waits for the second, and then this asks for the first.
            const writing = yield* sql.withTransaction(
              Effect.gen(function* () {
                yield* sql`UPDATE deadlocked SET version = 1 WHERE id >= ${bytes("other")}`
                yield* touch("k2")
                // Outside of this transaction.
                const writing = yield* Effect.sync(() => runFork(Storage.setMany(both)))
                yield* Effect.sleep(200)
                yield* touch("k1")
                return writing
              })
            )
            yield* Fiber.join(writing)
            expect(yield* sql`SELECT version FROM deadlocked WHERE id = ${bytes("k2")}`).toEqual([
              { version: title === "PostgreSQL" ? "0" : 0 }
            ])
          }).pipe(using({ table: "deadlocked" }))
        )

        // In the file the last entry is the first. Somebody has k0 │ all are removed │ the same
        // asks for k9: if that had been locked before, each would wait for the other.
        it.scoped("what is removed together is locked in the order of the ids", () =>
          Effect.gen(function* () {
            const sql = yield* SqlClient.SqlClient
            const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
            for (const key of keys.toReversed()) yield* Storage.set(key, 1)
            const touch = (key: string) =>
              sql`UPDATE ordered SET version = 1 WHERE id = ${Buffer.from(key)}`
            const runFork = Runtime.runFork(yield* Effect.runtime<Storage>())
            const [removing, took] = yield* sql.withTransaction(
              Effect.gen(function* () {
                yield* touch("k0")
                // Outside of this transaction.
                const removing = yield* Effect.sync(() => runFork(Storage.deleteMany(keys)))
                yield* Effect.sleep(200)
                const [took] = yield* Effect.timed(touch("k9"))
                return [removing, took] as const
              })
            )
            expect(Duration.toMillis(took)).toBeLessThan(500)
            expect(yield* Fiber.join(removing)).toBe(10)
          }).pipe(using({ table: "ordered" }))
        )
      }

      it.scoped(
        "those who write and remove the same entries at once all succeed, and each writes all",
        () =>
          Effect.gen(function* () {
            const keys = Array.from({ length: 70 }, (_, index) => `k${index}`)
            yield* Effect.forEach(
              Array.from({ length: 24 }, (_, index) => index),
              (by) =>
                by % 6 === 5
                  ? Storage.deleteMany(keys)
                  : Storage.setMany(
                      (by % 2 === 0 ? keys : keys.toReversed()).map((key) => [key, by] as const)
                    ),
              { concurrency: "unbounded" }
            )
            yield* Storage.setMany(keys.map((key) => [key, 100] as const))
            expect(new Set((yield* Storage.getMany(keys)).map(Option.getOrNull))).toEqual(
              new Set([100])
            )
          }).pipe(using({ table: "contended" }))
      )
    })
  })
}
