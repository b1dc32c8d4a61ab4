/** The databases that a storage is tested on: one server each for a test file, and a database in it. */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as MysqlClient from "@effect/sql-mysql2/MysqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { startMariadb } from "../servers/mariadb.js"
import { startPostgres } from "../servers/postgres.js"
import { type Address, addressOf } from "../servers/sqlServer.js"

/** A folder that goes with the scope. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "storage-"))),
  (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
)

export const sqliteFile = Effect.map(folder, (path) => Path.join(path, "test.db"))

export const sqliteClient = (
  config: SqliteClient.SqliteClientConfig
): Layer.Layer<SqlClient.SqlClient> => Layer.orDie(SqliteClient.layer(config))

export const postgresClient = (server: Address) =>
  Layer.scoped(SqlClient.SqlClient, PgClient.make(addressOf(server))).pipe(
    Layer.provide(Reactivity.layer)
  )

export const mariadbClient = (server: Address) =>
  Layer.scoped(SqlClient.SqlClient, MysqlClient.make(addressOf(server))).pipe(
    Layer.provide(Reactivity.layer)
  )

export interface Database {
  readonly title: string
  /** Of `describeWithServer`. */
  readonly needs: ReadonlyArray<"postgres" | "mariadbd">
  /** A database with a client, for all tests of a file. */
  readonly client: Layer.Layer<SqlClient.SqlClient>
}

export const databases: ReadonlyArray<Database> = [
  {
    title: "SQLite",
    needs: [],
    client: Layer.unwrapScoped(Effect.map(sqliteFile, (filename) => sqliteClient({ filename })))
  },
  {
    title: "PostgreSQL",
    needs: ["postgres"],
    client: Layer.orDie(Layer.unwrapScoped(Effect.map(startPostgres(), postgresClient)))
  },
  {
    title: "MariaDB",
    needs: ["mariadbd"],
    client: Layer.orDie(Layer.unwrapScoped(Effect.map(startMariadb(), mariadbClient)))
  }
]
