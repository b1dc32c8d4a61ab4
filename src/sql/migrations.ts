/** The table: made where it is missing, and looked at before it is used. */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqlError from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { StorageError } from "../port/StorageBackend.js"
import { columnNames, type Dialect } from "./Dialect.js"
import type { Queries } from "./queries.js"

/** What a table may be called. */
export const isTableName = (name: string): boolean => /^[A-Za-z_][A-Za-z0-9_]{0,47}$/.test(name)

export interface Table {
  readonly name: string
  readonly quote: (identifier: string) => string
}

/** The Migrator looks for its table in lower case alone; two tables of ours must not share one. */
const migrationsTable = (name: string): string => {
  const lower = name.toLowerCase()
  if (name === lower) return `${name}_migrations`
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 8)
  return `${lower.slice(0, 39)}_${digest}_migrations`
}

/**
 * Makes sure that the table is there. Where it is as it should be nothing is done, nothing locked,
 * and no right to create one is needed.
 */
export const prepare = (
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  queries: Queries,
  table: Table
): Effect.Effect<void, StorageError> => {
  const isThere = Effect.flatMap(
    queries.run("layer", queries.rows(dialect.columns, [table.name]), Effect.succeed),
    (columns) => {
      if (columns.length === 0) return Effect.succeed(false)
      const wrong = wrongIn(dialect, columns)
      return wrong === undefined
        ? Effect.succeed(true)
        : Effect.fail(wrongTable(dialect, table.name, wrong))
    }
  )
  const create = creation(sql, dialect, queries, table)
  const unlessThere = (effect: Effect.Effect<void, StorageError>) =>
    Effect.flatMap(isThere, (found) => (found ? Effect.void : effect))
  const attempt = (attempts: number): Effect.Effect<void, StorageError> =>
    queries
      .run("layer", migrate(sql, create, table.name), () =>
        // The Migrator remembers, and does not look: somebody may have dropped the table, or have been
        // killed on a MySQL, where what creates one commits what has been remembered before it.
        unlessThere(queries.run("layer", create, () => isThere))
      )
      .pipe(
        // Of several processes that start at once one creates it, and the others fail in one way or
        // another: then they look again.
        Effect.catchIf(
          ({ reason }) => attempts > 1 && (reason === "Refused" || reason === "Timeout"),
          () => Effect.delay(unlessThere(attempt(attempts - 1)), 10 + Math.random() * 100)
        )
      )
  return unlessThere(attempt(10))
}

const creation = (
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  queries: Queries,
  { name, quote }: Table
): Effect.Effect<void, SqlError.SqlError> => {
  const names = { table: quote(name), index: quote(`${name}_expires_at`) }
  return queries.together(
    Effect.forEach(dialect.create(names), (text) => sql.unsafe(text), { discard: true })
  )
}

const migrate = (
  sql: SqlClient.SqlClient,
  create: Effect.Effect<void, SqlError.SqlError>,
  name: string
): Effect.Effect<void, SqlError.SqlError> =>
  Migrator.make({})({
    loader: Migrator.fromRecord({ "0001_entries": create }),
    table: migrationsTable(name)
  }).pipe(
    Effect.provideService(SqlClient.SqlClient, sql.withoutTransforms()),
    Effect.catchAllCause((cause) => Effect.failCause(Cause.flatMap(cause, unwrapped))),
    Effect.asVoid
  )

/** The Migrator fails, or dies, with an error of its own around that of the database. */
const unwrapped = (error: unknown): Cause.Cause<SqlError.SqlError> => {
  const inner = error instanceof Migrator.MigrationError ? error.cause : error
  return inner instanceof SqlError.SqlError ? Cause.fail(inner) : Cause.die(error)
}

const wrongIn = (
  { types }: Dialect,
  columns: ReadonlyArray<Readonly<Record<string, unknown>>>
): string | undefined => {
  const found = new Map(columns.map((column) => [String(column["name"]), column]))
  const missing = columnNames.filter((name) => !found.has(name))
  if (missing.length > 0) return `it has no column ${missing.join(", ")}`
  const other = columnNames.find((name) => String(found.get(name)?.["type"]) !== types[name])
  if (other !== undefined) {
    return `its column ${other} is of type ${String(found.get(other)?.["type"])}, not ${types[other]}`
  }
  return found.get("id")?.["is_key"] ? undefined : "its column id is not its primary key"
}

const wrongTable = (dialect: Dialect, name: string, why: string): StorageError =>
  new StorageError({
    backend: dialect.name,
    operation: "layer",
    reason: "WrongTable",
    detail:
      `the table ${name} is not one of this storage: ${why}. Expected are the columns ` +
      columnNames.map((column) => `${column} ${dialect.types[column]}`).join(", ") +
      ", with id as the primary key. Remedy: name another table (option table), or rename that " +
      "one; it has been left as it is"
  })
