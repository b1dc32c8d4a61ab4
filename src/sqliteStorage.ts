/**
 * Lasting entries in a file.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { millis, wrong } from "./core/option.js"
import { given, storageTtl } from "./core/storageEnvironment.js"
import { sqliteFile } from "./policy/sqliteUrl.js"
import { StorageError } from "./port/StorageBackend.js"
import { storageError } from "./sql/faults.js"
import { sqlite } from "./sql/sqlite.js"
import { notInstalled, open, OpeningFailed } from "./sqlite/SqliteFile.js"
import { Storage, type StorageOptions } from "./Storage.js"

/**
 * - `filename`: default `larder.db`, in the folder that the process runs in. `:memory:` is a
 *   database that goes with the layer
 * - `busyTimeout`: how long to wait while another process writes; default 5 seconds. This process
 *   stands still meanwhile, for SQLite waits without giving way
 * - `ttl`: how long an entry lives whose `set` does not say; unset or `Infinity`: for good
 * - `synchronous`: `"full"` waits until a commit is on the disk, as SQLite calls it, so that what
 *   has been set outlives a loss of power, too; default `"normal"`, which leaves that to
 *   the next checkpoint and is many times as fast
 *
 * @since 0.1.0
 * @category models
 */
export interface SqliteStorageOptions extends StorageOptions {
  readonly filename?: string | undefined
  readonly busyTimeout?: Duration.DurationInput | undefined
  readonly synchronous?: "normal" | "full" | undefined
}

/**
 * Entries in a file of SQLite, in the table `larder_entries`. Several processes of one machine
 * may share it; on a file system of a network they may not.
 *
 * What has been set is there after the process was killed. After a loss of power the last
 * moments before it may be missing, unless `synchronous` is `"full"`; what is there is whole.
 *
 * Fails with `StorageError`: `MissingDriver` where a package is not installed or was not built,
 * `Unavailable` where the file cannot be opened, `Refused` where it is no database, `WrongTable`.
 * A wrong option is a defect when the layer is built.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Storage } from "effect-larder"
 * import { SqliteStorage } from "effect-larder/sqlite"
 *
 * const StorageLive = SqliteStorage.layer({ filename: "/var/lib/app/results.db", ttl: "30 days" })
 *
 * export const program = Storage.set("report:42", { rows: 1_024 }).pipe(
 *   Effect.provide(StorageLive)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = ({
  busyTimeout,
  filename = "larder.db",
  synchronous = "normal",
  ...options
}: SqliteStorageOptions = {}): Layer.Layer<Storage, StorageError> =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const waits = Math.ceil(millis("busyTimeout", busyTimeout, 5_000))
      if (waits > longestWait) throw wrong("busyTimeout", waits, "a duration up to 24 days")
      if (synchronous !== "normal" && synchronous !== "full") {
        throw wrong("synchronous", synchronous, '"normal" or "full"')
      }
      const { make } = yield* load
      const { connection, sql } = yield* Effect.mapError(
        open({ filename, busyTimeout: waits, synchronous }),
        (error) =>
          error instanceof OpeningFailed ? storageError(sqlite, "layer", error.cause) : error
      )
      const backend = yield* make("larder_entries", sql, connection)
      return Storage.fromBackend(backend, options)
    })
  )

/** SQLite's own limit. */
const longestWait = 2 ** 31 - 1

const load = Effect.tryPromise({
  try: () => import("./sql/SqlStorageBackend.js"),
  catch: notInstalled
})

/**
 * `layer` with its options from `Config`.
 *
 * @example
 * ```ts
 * import * as Config from "effect/Config"
 * import { SqliteStorage } from "effect-larder/sqlite"
 *
 * export const StorageLive = SqliteStorage.layerConfig({ filename: Config.string("RESULTS_FILE") })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<SqliteStorageOptions>
): Layer.Layer<Storage, ConfigError | StorageError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

const urlName = "LARDER_STORAGE_SQLITE_URL"

/**
 * Ready to provide: the file that `LARDER_STORAGE_SQLITE_URL` names, else `larder.db`, with
 * `LARDER_STORAGE_TTL_SECONDS` as its default ttl.
 *
 * The URL is `sqlite:///relative.db`, `sqlite:////absolute.db` or `sqlite://` for one in memory;
 * a driver (`sqlite+aiosqlite://`) may be named, and does not matter. `file:` and a path alone
 * will do, too. Of another database it fails with `UnsupportedUrl`.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Storage } from "effect-larder"
 * import { SqliteStorageLive } from "effect-larder/sqlite"
 *
 * export const program = Storage.get("report:42").pipe(Effect.provide(SqliteStorageLive))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const SqliteStorageLive: Layer.Layer<Storage, ConfigError | StorageError> =
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const url = yield* given(urlName)
      const ttl = yield* storageTtl
      const filename = url === undefined ? undefined : sqliteFile(url)
      if (url !== undefined && filename === undefined) return yield* unsupported(url)
      return layer({ filename, ttl })
    })
  )

/** The rest of it is not shown: it may hold a password. */
const unsupported = (url: string): StorageError => {
  const scheme = /^[a-z][a-z0-9.]*(?=[:+])/i.exec(url)?.[0].toLowerCase() ?? ""
  return new StorageError({
    backend: "sqlite",
    operation: "layer",
    reason: "UnsupportedUrl",
    detail:
      `${urlName}${scheme === "" ? "" : `, which begins with ${scheme}:,`} names no file of SQLite; ` +
      "allowed: sqlite:///relative.db, sqlite:////absolute.db, sqlite:// (in memory), file:larder.db, " +
      "a path, each without a query. For PostgreSQL and MySQL there is SqlStorage in effect-larder/sql"
  })
}
