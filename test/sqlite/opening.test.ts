/** Files of SQLite that can be opened, and those that cannot. */
import { expect, it } from "@effect/vitest"
import * as SqlClient from "@effect/sql/SqlClient"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Storage, type StorageError } from "effect-larder"
import { SqliteStorage, SqliteStorageLive } from "effect-larder/sqlite"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { open } from "../../src/sqlite/SqliteFile.js"
import { startWorker } from "../servers/worker.js"
import { folder, sqliteClient, sqliteFile } from "../sql/databases.js"
import type { ReadOnlyHandlers } from "./readOnly.worker.js"

const errorOf = <A, E>(storage: Layer.Layer<A, E>) => Effect.flip(Layer.build(storage))

const live = (settings: Readonly<Record<string, string>>) =>
  Layer.provide(
    SqliteStorageLive,
    Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings))))
  )

it.live("what was set is there when the file is opened again, in WAL", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const storage = SqliteStorage.layer({ filename })
    yield* Effect.provide(Storage.set("k", { a: 1 }), storage)
    expect(yield* Effect.provide(Storage.get("k"), storage)).toEqual(Option.some({ a: 1 }))
    // Bytes 18 and 19 of the file say how it is written: 2 is WAL.
    expect([...Fs.readFileSync(filename).subarray(18, 20)]).toEqual([2, 2])
  }).pipe(Effect.scoped)
)

it.live.each([
  { synchronous: "normal", level: 1 },
  { synchronous: "full", level: 2 }
] as const)("a commit is flushed as synchronous says: $synchronous", ({ level, synchronous }) =>
  Effect.gen(function* () {
    const { sql } = yield* open({ filename: yield* sqliteFile, busyTimeout: 1_000, synchronous })
    expect(yield* sql`PRAGMA synchronous`).toEqual([{ synchronous: level }])
  }).pipe(Effect.scoped)
)

it.live("a folder that is not there is named, with what to do", () =>
  Effect.gen(function* () {
    const filename = Path.join(yield* folder, "none", "larder.db")
    const error = yield* errorOf(SqliteStorage.layer({ filename }))
    expect(error.reason).toBe("Unavailable")
    expect(error.detail).toBe(
      `the folder of the file ${JSON.stringify(filename)} is not there: create it`
    )
  }).pipe(Effect.scoped)
)

it.live("what is no database is left as it is", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const text = "This is a letter, and no database. ".repeat(100)
    Fs.writeFileSync(filename, text)
    const error = yield* errorOf(SqliteStorage.layer({ filename }))
    expect(error.reason).toBe("Refused")
    expect(error.detail).toMatch(/^the file is there, and is no SQLite database: name another one/)
    expect(Fs.readFileSync(filename, "utf8")).toBe(text)
    const ofFolder = yield* errorOf(SqliteStorage.layer({ filename: Path.dirname(filename) }))
    expect(ofFolder.reason).toBe("Unavailable")
    expect(ofFolder.detail).toMatch(/^the file cannot be opened/)
  }).pipe(Effect.scoped)
)

it.live("a file that may not be written is read, and in such a folder not even that", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const path = Path.dirname(filename)
    yield* Effect.provide(Storage.set("k", 1), SqliteStorage.layer({ filename }))
    const reader = yield* startWorker<ReadOnlyHandlers>(
      new URL("readOnly.worker.ts", import.meta.url)
    )
    Fs.chmodSync(filename, 0o444)
    Fs.chmodSync(path, 0o555)
    const inFolder = yield* reader.ask("try", filename)
    expect(inFolder.error).toMatch(/layer failed \(ReadOnly\): the file, or its folder, may not be/)
    Fs.chmodSync(path, 0o777)
    const inFile = yield* reader.ask("try", filename)
    expect(inFile.found).toBe(1)
    expect(inFile.error).toMatch(/set failed \(ReadOnly\): the file, or its folder, may not be/)
  }).pipe(Effect.scoped)
)

it.live("a file that another one holds is waited for as long as was said, and no longer", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const holder = yield* Layer.build(sqliteClient({ filename, disableWAL: true }))
    const held = Context.get(holder, SqlClient.SqlClient)
    yield* held`CREATE TABLE other (id)`
    yield* held`BEGIN EXCLUSIVE`
    const build = errorOf(SqliteStorage.layer({ filename, busyTimeout: 200 }))
    const [waited, error] = yield* Effect.timed(build)
    expect(error.reason).toBe("Timeout")
    expect(Duration.toMillis(waited)).toBeGreaterThanOrEqual(200)
    expect(Duration.toMillis(waited)).toBeLessThan(4_000)
    yield* held`ROLLBACK`
    yield* Effect.provide(Storage.set("k", 1), SqliteStorage.layer({ filename }))
  }).pipe(Effect.scoped)
)

it.live("the environment names the file, and the ttl", () =>
  Effect.gen(function* () {
    const filename = yield* sqliteFile
    const settings = {
      LARDER_STORAGE_SQLITE_URL: ` sqlite+aiosqlite:///${filename} `,
      LARDER_STORAGE_TTL_SECONDS: "60"
    }
    yield* Effect.provide(Storage.set("k", 1), live(settings))
    const entry = yield* Effect.provide(Storage.getEntry("k"), SqliteStorage.layer({ filename }))
    const { createdAt, expiresAt } = Option.getOrThrow(entry)
    expect(Option.getOrThrow(expiresAt).epochMillis - createdAt.epochMillis).toBe(60_000)
  }).pipe(Effect.scoped)
)

it.effect.each([
  "postgresql://larder:s3cret@db/app",
  "mysql+pymysql://larder:s3cret@db/app",
  "s3cret://"
])("%s is no address of this storage, and is not shown", (url) =>
  Effect.gen(function* () {
    const error = (yield* errorOf(live({ LARDER_STORAGE_SQLITE_URL: url }))) as StorageError
    expect(error.reason).toBe("UnsupportedUrl")
    expect(error.detail).toContain(
      "For PostgreSQL and MySQL there is SqlStorage in effect-larder/sql"
    )
    expect(error.message).not.toContain("larder:s3cret")
  }).pipe(Effect.scoped)
)

it.effect.each(["0", "-1", "soon", "1e3"])("a ttl of %s in the environment is an error", (text) =>
  Effect.gen(function* () {
    const error = yield* errorOf(
      live({ LARDER_STORAGE_SQLITE_URL: "sqlite://", LARDER_STORAGE_TTL_SECONDS: text })
    )
    expect(String(error)).toContain("allowed: seconds, above zero")
  }).pipe(Effect.scoped)
)

it.effect.each([
  { busyTimeout: -1, said: "busyTimeout is -1" },
  { busyTimeout: "25 days" as const, said: "a duration up to 24 days" },
  { synchronous: "off" as "full", said: 'synchronous is "off"; allowed: "normal" or "full"' },
  { ttl: 0, said: "ttl is 0" }
])("a wrong option is a defect: $said", ({ said, ...options }) =>
  Effect.gen(function* () {
    const storage = SqliteStorage.layer({ filename: ":memory:", ...options })
    const exit = yield* Effect.exit(Layer.build(storage))
    expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toContain(said)
  }).pipe(Effect.scoped)
)
