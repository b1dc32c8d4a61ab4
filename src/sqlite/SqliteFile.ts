/** A database of SQLite, opened by a driver that is loaded when a layer is built. */
import type * as SqlClient from "@effect/sql/SqlClient"
import type * as Connection from "@effect/sql/SqlConnection"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { StorageError } from "../port/StorageBackend.js"

export interface Opening {
  readonly filename: string
  /** Milliseconds. */
  readonly busyTimeout: number
  readonly synchronous: "normal" | "full"
}

/** A client, and the only connection that it has. */
export interface Opened {
  readonly sql: SqlClient.SqlClient
  readonly connection: Connection.Connection
}

/** What the driver has thrown. */
export class OpeningFailed {
  constructor(readonly cause: unknown) {}
}

/**
 * A client of the file, closed with the scope.
 *
 * WAL: who reads does not wait for who writes. A commit is in the file when the process is killed;
 * with a loss of power the last ones may be missing, unless they are flushed one by one.
 */
export const open = ({
  busyTimeout,
  filename,
  synchronous
}: Opening): Effect.Effect<Opened, StorageError | OpeningFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const { SqliteClient, layer } = yield* load
    const built = Effect.flatMap(Effect.scope, (scope) =>
      // Its way over to WAL waits for as long as the driver likes, and not for `busyTimeout`.
      Layer.buildWithScope(Layer.orDie(layer({ filename, disableWAL: true })), scope)
    )
    const context = yield* Effect.catchAllDefect(built, (defect) =>
      Effect.fail(faultOf(filename, defect))
    )
    const sql = Context.get(context, SqliteClient)
    yield* Effect.orDie(sql.unsafe(`PRAGMA busy_timeout = ${busyTimeout}`))
    // To go over to WAL one must be alone for a moment, and SQLite does not always wait for it.
    yield* sql.unsafe("PRAGMA journal_mode = WAL").pipe(
      Effect.mapError(({ cause }) => new OpeningFailed(cause)),
      Effect.retry({
        while: isBusy,
        schedule: Schedule.spaced(20).pipe(Schedule.jittered, Schedule.upTo(busyTimeout))
      })
    )
    yield* Effect.orDie(sql.unsafe(`PRAGMA synchronous = ${synchronous}`))
    return { sql, connection: yield* Effect.orDie(Effect.scoped(sql.reserve)) }
  })

const isBusy = ({ cause }: OpeningFailed): boolean =>
  (cause as { readonly code?: unknown } | null)?.code === "SQLITE_BUSY"

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : "")

const faultOf = (filename: string, defect: unknown): StorageError | OpeningFailed => {
  const text = textOf(defect)
  if (notBuilt.test(text)) return wasNotBuilt
  if (!/directory does not exist/.test(text)) return new OpeningFailed(defect)
  return new StorageError({
    backend: "sqlite",
    operation: "layer",
    reason: "Unavailable",
    detail: `the folder of the file ${JSON.stringify(filename)} is not there: create it`
  })
}

/** The package is there, and what it must have compiled is not, or is for another Node. */
const notBuilt =
  /Could not locate the bindings file|NODE_MODULE_VERSION|invalid ELF header|better_sqlite3\.node/

const missing = (detail: string): StorageError =>
  new StorageError({ backend: "sqlite", operation: "layer", reason: "MissingDriver", detail })

const wasNotBuilt = missing(
  "the package better-sqlite3 is installed, and was not built for Node " +
    `${process.versions.node}: npm rebuild better-sqlite3`
)

/** A package that is loaded when a layer is built is not there. */
export const notInstalled = (cause: unknown): StorageError => {
  const name = /Cannot find (?:package|module) '([^'/][^']*)'/.exec(textOf(cause))?.[1]
  return missing(
    `effect-larder/sqlite needs the package ${name ?? "@effect/sql-sqlite-node"}: ` +
      "npm install @effect/sql@0.52 @effect/sql-sqlite-node@0.53"
  )
}

const load = Effect.tryPromise({
  try: () => import("@effect/sql-sqlite-node/SqliteClient"),
  catch: notInstalled
})
