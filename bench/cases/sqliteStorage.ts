/** Lasting entries in a SQLite file, one after the other and many at once. */
import * as SqlClient from "@effect/sql/SqlClient"
import { SqliteClient } from "@effect/sql-sqlite-node"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import Database from "better-sqlite3"
import { Storage } from "effect-larder"
import { SqliteStorage } from "effect-larder/sqlite"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { ours } from "../figures.js"
import { interleave, type Peer, ratio } from "../harness.js"
import { type Case, report, type Target, timesAsFast } from "../report.js"
import { keyOf, sumOfIds, type User, users } from "../users.js"
import * as Stores from "../stores.js"

const bare = "bare statements, @effect/sql-sqlite-node"
const ops = 2_000
const many = users.slice(0, 1_000)

export const sqliteStorage: Case = async (isQuick) => {
  const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "larder-bench-"))
  const fileOf = (name: string) => Path.join(folder, `${name}.db`)
  const storage = ManagedRuntime.make(SqliteStorage.layer({ filename: fileOf("ours") }))
  const flushed = ManagedRuntime.make(
    SqliteStorage.layer({ filename: fileOf("flushed"), synchronous: "full" })
  )
  const driver = driverAt(fileOf("driver"))
  const client = ManagedRuntime.make(SqliteClient.layer({ filename: fileOf("bare") }))
  const stores = await Stores.onSqlite(fileOf)
  try {
    await client.runPromise(Effect.orDie(createTable))
    const turns = (title: string, peers: ReadonlyArray<Peer>) =>
      interleave(title, peers, {
        ...(isQuick ? { warmups: 1, rounds: 4 } : { warmups: 3, rounds: 20 }),
        isCollectedFirst: false
      })
    const inFiber =
      <R, E>(runtime: ManagedRuntime.ManagedRuntime<R, unknown>, each: Each<R, E>) =>
      (count: number) =>
        runtime.runPromise(sumInOneFiber(count, each))

    const sets = await turns(
      "SQLite: set",
      [
        { name: ours, turn: inFiber(storage, setOurs) },
        { name: bare, turn: inFiber(client, setBare) },
        ...stores.map((store) => ({ name: store.name, turn: Stores.setting(store) }))
      ].map(withSum)
    )
    const gets = await turns(
      "SQLite: get",
      [
        { name: ours, turn: inFiber(storage, getOurs) },
        { name: bare, turn: inFiber(client, getBare) },
        ...stores.map((store) => ({ name: store.name, turn: Stores.getting(store) }))
      ].map(withSum)
    )
    const manyAt = (runtime: typeof storage): ReadonlyArray<OneTurn> => [
      { name: ours, turn: () => runtime.runPromise(Effect.as(setMany, 1)) },
      { name: oneByOne, turn: () => runtime.runPromise(Effect.as(setEach, 1)) }
    ]
    const batches = await turns(
      "SQLite: set 1,000 entries",
      [
        ...manyAt(storage),
        { name: "the driver alone, one transaction", turn: driver.setMany },
        { name: driverOneByOne, turn: driver.setEach }
      ].map(inOneTurn)
    )
    const flushes = await turns(flushedTitle, manyAt(flushed).map(inOneTurn))
    const ahead = (them: typeof gets) => stores.map(({ name }) => timesAsFast(them, name, 1))
    return [
      report("SQLite: set", sets, [timesAsFast(sets, bare, 0.7), ...ahead(sets)]),
      report("SQLite: get", gets, [timesAsFast(gets, bare, 0.7), ...ahead(gets)]),
      report("SQLite: set 1,000 entries", batches, [tenTimes(batches)]),
      report(flushedTitle, flushes, [tenTimes(flushes)])
    ]
  } finally {
    driver.close()
    await Promise.all([storage, flushed, client].map((it) => it.dispose()))
    await Promise.all(stores.map((it) => it.close()))
    Fs.rmSync(folder, { recursive: true })
  }
}

const withSum = (peer: Pick<Peer, "name" | "turn">): Peer => ({ ops, expected: sumOfIds, ...peer })

type Each<R, E> = (user: User) => Effect.Effect<number, E, R>

/** One operation after the other, each of the next user: the sum of what they give. */
const sumInOneFiber = <R, E>(count: number, each: Each<R, E>): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let sum = 0
    for (let at = 0; at < count; at++) sum += yield* each(users[at % users.length] as User)
    return sum
  })

const idIn = (value: unknown): number => (value as User).id

/** SQLite writes nothing where a row stays as it is: every set is of another value. */
const setOurs = (user: User) => Effect.as(Storage.set(keyOf(user), Stores.changed(user)), user.id)
const getOurs = (user: User) =>
  Effect.map(Storage.get(keyOf(user)), (found) => idIn(Option.getOrThrow(found)))

const oneByOne = "single sets"
const flushedTitle = "SQLite: set 1,000 entries, each commit flushed to the disk"

interface OneTurn {
  readonly name: string
  readonly turn: () => Promise<number>
}

const inOneTurn = (peer: OneTurn): Peer => ({ expected: () => 1, ops: 1, ...peer })

const setMany = Effect.suspend(() =>
  Storage.setMany(many.map((user) => [keyOf(user), Stores.changed(user)]))
)
const setEach = Effect.forEach(many, (user) => Storage.set(keyOf(user), Stores.changed(user)), {
  discard: true
})

const tenTimes = (turns: Awaited<ReturnType<typeof interleave>>): Target => {
  const { median } = ratio(turns, oneByOne, ours)
  return {
    what: "setMany of 1,000 at least 10 × single sets",
    figure: `${median.toFixed(1)} ×`,
    isMet: median >= 10
  }
}

const createTable = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql`CREATE TABLE bare (id TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at INTEGER) WITHOUT ROWID`
)
const setBare = (user: User) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.as(
      sql`INSERT INTO bare (id, value, expires_at) VALUES (${keyOf(user)}, ${JSON.stringify(Stores.changed(user))}, ${null})
          ON CONFLICT (id) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`,
      user.id
    )
  )
const getBare = (user: User) =>
  Effect.flatMap(SqlClient.SqlClient, (sql) =>
    Effect.map(
      sql<{ value: string }>`SELECT value, expires_at FROM bare WHERE id = ${keyOf(user)}`,
      ([row]) => idIn(JSON.parse(row?.value ?? ""))
    )
  )

const driverOneByOne = "the driver alone, single statements"

/** What is the least that can be: a statement that is prepared once, three columns, JSON unchecked. */
const driverAt = (filename: string) => {
  const database = new Database(filename)
  database.pragma("journal_mode = WAL")
  database.exec("CREATE TABLE bare (id TEXT PRIMARY KEY, value TEXT NOT NULL, expires_at INTEGER)")
  const set = database.prepare(
    `INSERT INTO bare (id, value, expires_at) VALUES (?, ?, NULL)
     ON CONFLICT (id) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`
  )
  const setEach = () => {
    for (const user of many) set.run(keyOf(user), JSON.stringify(Stores.changed(user)))
    return 1
  }
  const setMany = database.transaction(setEach)
  return {
    setEach: async () => setEach(),
    setMany: async () => setMany(),
    close: () => database.close()
  }
}
