/** What several processes do to one table, and what is there when one of them was killed. */
import { expect, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import { Storage } from "effect-larder"
import { SqlStorage } from "effect-larder/sql"
import { SqliteStorage } from "effect-larder/sqlite"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startMariadb } from "../servers/mariadb.js"
import { startPostgres } from "../servers/postgres.js"
import type { SqlServer } from "../servers/sqlServer.js"
import { mariadbClient, postgresClient, sqliteFile } from "./databases.js"
import { addressOf, startWriter } from "./workers.js"
import type { Where } from "./storage.worker.js"

type Writer = Effect.Effect.Success<ReturnType<typeof startWriter>>

const valueOf = (key: string): string => `${key}:`.repeat(200)

/** All that is there is whole. */
const expectWhole = Effect.gen(function* () {
  const keys = yield* Storage.keys()
  const values = yield* Storage.getMany(keys)
  expect(values.map(Option.getOrUndefined)).toEqual(keys.map(valueOf))
  return new Set(keys)
})

/** Kills a writer in the midst of 10,000 writes, one after the other, and says which it was told of. */
const killWhileWriting = (writer: Writer) =>
  Effect.gen(function* () {
    yield* writer.ask("start")
    yield* writer.send("write", { name: "a", count: 10_000, told: true })
    const first = yield* Queue.takeN(writer.messages, 3_000)
    yield* writer.kill
    const rest = yield* Queue.takeAll(writer.messages)
    return [...first, ...rest] as ReadonlyArray<string>
  })

/** As above, of batches of 20. */
const killWhileWritingBatches = (writer: Writer) =>
  Effect.gen(function* () {
    yield* writer.ask("start")
    yield* writer.send("writeBatches", { name: "b", batches: 500, size: 20 })
    const first = yield* Queue.takeN(writer.messages, 100)
    yield* writer.kill
    const rest = yield* Queue.takeAll(writer.messages)
    return [...first, ...rest] as ReadonlyArray<string>
  })

const expectAll = (
  found: ReadonlySet<string>,
  acknowledged: ReadonlyArray<string>,
  batches: ReadonlyArray<string>
) => {
  expect(acknowledged.length).toBeGreaterThanOrEqual(3_000)
  expect(acknowledged.length).toBeLessThan(10_000)
  expect(acknowledged.filter((key) => !found.has(key))).toEqual([])
  const inBatches = [...found].filter((key) => key.startsWith("b-"))
  expect(inBatches.length % 20).toBe(0)
  expect(inBatches.length / 20).toBeGreaterThanOrEqual(batches.length)
}

it.live(
  "two processes with a thousand writes each on one file of SQLite lose nothing",
  () =>
    Effect.gen(function* () {
      const filename = yield* sqliteFile
      const where: Where = { kind: "sqlite", filename }
      const writers = yield* Effect.all([startWriter(where), startWriter(where)], {
        concurrency: 2
      })
      yield* Effect.all(
        writers.map((writer, index) => writer.ask("write", { name: `w${index}`, count: 1_000 })),
        { concurrency: 2 }
      )
      const found = yield* Effect.provide(expectWhole, SqliteStorage.layer({ filename }))
      expect(found.size).toBe(2_000)
    }).pipe(Effect.scoped),
  60_000
)

it.live(
  "what SQLite has acknowledged is there when its process was killed, and nothing in half",
  () =>
    Effect.gen(function* () {
      const filename = yield* sqliteFile
      const where: Where = { kind: "sqlite", filename }
      const [one, other] = yield* Effect.all([startWriter(where), startWriter(where)])
      const acknowledged = yield* killWhileWriting(one)
      const batches = yield* killWhileWritingBatches(other)
      const found = yield* Effect.provide(expectWhole, SqliteStorage.layer({ filename }))
      expectAll(found, acknowledged, batches)
    }).pipe(Effect.scoped),
  60_000
)

it.live("eight processes that start at once on a new file of SQLite all come up", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const writers = yield* Effect.all(
      Array.from({ length: 8 }, () => startWriter({ kind: "sqlite", filename })),
      { concurrency: "unbounded" }
    )
    yield* Effect.all(
      writers.map((writer) => writer.ask("start")),
      { concurrency: "unbounded" }
    )
  }).pipe(Effect.scoped)
)

class Server extends Context.Tag("test/Server")<Server, SqlServer>() {}

const servers = [
  {
    title: "PostgreSQL",
    needs: ["postgres"] as const,
    start: startPostgres({ own: true }),
    client: postgresClient,
    kind: "postgres" as const
  },
  {
    title: "MariaDB",
    needs: ["mariadbd"] as const,
    start: startMariadb({ own: true }),
    client: mariadbClient,
    kind: "mariadb" as const
  }
]

for (const { client, kind, needs, start, title } of servers) {
  describeWithServer(title, needs, () => {
    layer(Layer.scoped(Server, start), { excludeTestServices: true, timeout: 60_000 })((it) => {
      it.scoped("four processes that start at once with a new table all come up", () =>
        Effect.gen(function* () {
          const where = addressOf(kind, yield* Server)
          yield* Effect.forEach(Array.from({ length: 5 }), (_, round) =>
            Effect.gen(function* () {
              const writers = yield* Effect.all(
                Array.from({ length: 4 }, () => startWriter(where, `Round_${round}`)),
                { concurrency: "unbounded" }
              )
              yield* Effect.all(
                writers.map((writer) => writer.ask("write", { name: "k", count: 1 })),
                { concurrency: "unbounded" }
              )
            }).pipe(Effect.scoped)
          )
        })
      )

      it.scoped(
        "what it has acknowledged is there when it was killed and started again, and nothing in half",
        () =>
          Effect.gen(function* () {
            const server = yield* Server
            const where = addressOf(kind, server)
            const [one, other] = yield* Effect.all([startWriter(where), startWriter(where)])
            yield* Effect.all([one.ask("start"), other.ask("start")])
            yield* one.send("write", { name: "a", count: 10_000, told: true })
            yield* other.send("writeBatches", { name: "b", batches: 500, size: 20 })
            const first = yield* Queue.takeN(one.messages, 3_000)
            yield* server.kill
            const [acknowledged, batches] = [
              [...first, ...(yield* Queue.takeAll(one.messages))] as ReadonlyArray<string>,
              [...(yield* Queue.takeAll(other.messages))] as ReadonlyArray<string>
            ]
            yield* server.restart
            const storage = Layer.provide(SqlStorage.layer(), client(server))
            const found = yield* Effect.provide(expectWhole, storage)
            expectAll(found, acknowledged, batches)
          }),
        60_000
      )
    })
  })
}
