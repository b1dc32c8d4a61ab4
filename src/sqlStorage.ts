/**
 * Lasting entries in a table of an SQL database.
 *
 * @since 0.1.0
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StorageError } from "./port/StorageBackend.js"
import * as SqlStorageBackend from "./sql/SqlStorageBackend.js"
import { Storage, type StorageOptions } from "./Storage.js"

/**
 * - `table`: the table of the entries; default `larder_entries`. 1 to 48 characters out of
 *   `A-Z a-z 0-9 _`, the first of them no digit. It is created where it is missing, with
 *   another one that remembers which migrations were done (`larder_entries_migrations`)
 * - `ttl`: how long an entry lives whose `set` does not say; unset or `Infinity`: for good
 *
 * @since 0.1.0
 * @category models
 */
export interface SqlStorageOptions extends StorageOptions {
  readonly table?: string | undefined
}

/**
 * Entries in a table of a database that your `SqlClient` of `@effect/sql` is connected to:
 * PostgreSQL, MySQL 8 or MariaDB, SQLite from 3.42 on. They expire by the database's clock.
 *
 * In a transaction of that client (`sql.withTransaction`) they are set and removed with all
 * else that is done there, or not at all. How long an operation may take is for the client or
 * the server to say: `statement_timeout`, `innodb_lock_wait_timeout`.
 *
 * Fails with `StorageError` where the database cannot be used: `reason` is `Denied`, `Unavailable`,
 * and `WrongTable` for a table of that name that is another's. A wrong name of a table, or a
 * wrong ttl, is a defect when the layer is built.
 *
 * @example
 * ```ts
 * import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
 * import * as Layer from "effect/Layer"
 * import { SqlStorage } from "effect-larder/sql"
 *
 * // Or PgClient.layer of @effect/sql-pg, MysqlClient.layer of @effect/sql-mysql2.
 * const DatabaseLive = SqliteClient.layer({ filename: "app.db" })
 *
 * export const StorageLive = SqlStorage.layer({ table: "job_results", ttl: "30 days" }).pipe(
 *   Layer.provide(DatabaseLive)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = ({
  table = "larder_entries",
  ...options
}: SqlStorageOptions = {}): Layer.Layer<Storage, StorageError, SqlClient.SqlClient> =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.flatMap(SqlClient.SqlClient, (sql) => SqlStorageBackend.make(table, sql)),
      (backend) => Storage.fromBackend(backend, options)
    )
  )

/**
 * `layer` with its options from `Config`.
 *
 * @example
 * ```ts
 * import * as Config from "effect/Config"
 * import { SqlStorage } from "effect-larder/sql"
 *
 * export const StorageLive = SqlStorage.layerConfig({ table: Config.string("RESULTS_TABLE") })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<SqlStorageOptions>
): Layer.Layer<Storage, ConfigError | StorageError, SqlClient.SqlClient> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))
