/** Statements as they are run: what comes back, what went wrong, and what is tried again. */
import * as SqlClient from "@effect/sql/SqlClient"
import type * as Connection from "@effect/sql/SqlConnection"
import * as SqlError from "@effect/sql/SqlError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { StorageError } from "../port/StorageBackend.js"
import type { Dialect } from "./Dialect.js"
import { codeOf, storageError } from "./faults.js"

type Row = Readonly<Record<string, unknown>>

export interface Queries {
  readonly rows: (
    text: string,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
  /** How many rows a DELETE has removed. */
  readonly removed: (
    text: string,
    parameters: ReadonlyArray<unknown>
  ) => Effect.Effect<number, SqlError.SqlError>
  /** All or nothing. */
  readonly together: <A>(
    effect: Effect.Effect<A, SqlError.SqlError>
  ) => Effect.Effect<A, SqlError.SqlError>
  /** An operation of the port. */
  readonly run: <A, B>(
    operation: string,
    effect: Effect.Effect<A, SqlError.SqlError>,
    then: (result: A) => Effect.Effect<B, StorageError>
  ) => Effect.Effect<B, StorageError>
}

/**
 * `own`: the only connection of a client that nobody else has. A statement of `@effect/sql` opens
 * a span and a scope and takes a permit, which is several times the price of a read in SQLite. So
 * it is handed straight to the driver, unless a transaction is under way: with the permit, it
 * waits until that is over.
 */
export const make = (
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  own?: Connection.Connection
): Queries => {
  let transactions = 0
  let handed = 0
  // A user's client may rename columns: ours are as we have named them.
  const stated: Queries["rows"] = (text, parameters) =>
    sql.unsafe<Row>(text, parameters).withoutTransform
  const rows: Queries["rows"] =
    own === undefined
      ? stated
      : (text, parameters) =>
          Effect.uninterruptibleMask((restore) => {
            // The client's own permit is given back before the statement is executed.
            if (transactions > 0) return restore(inTurn(stated(text, parameters)))
            handed++
            const executed = own.execute(text, parameters, undefined)
            return Effect.matchCauseEffect(executed, {
              onFailure: (cause) => {
                handed--
                return Effect.failCause(cause)
              },
              onSuccess: (found) => {
                handed--
                return Effect.succeed(found)
              }
            })
          })
  // Asked for before one begins │ executed within it: it would be rolled back with it. All that
  // is handed over is executed without waiting for anybody.
  const allExecuted = Effect.repeat(Effect.yieldNow(), { until: () => handed === 0 })

  const turn = Effect.unsafeMakeSemaphore(1)
  /** Those of a transaction have its turn. */
  const inTurn = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.flatMap(Effect.serviceOption(SqlClient.TransactionConnection), (outer) =>
      own === undefined || Option.isSome(outer) ? effect : turn.withPermits(1)(effect)
    )

  return {
    rows,
    removed:
      dialect.returning === ""
        ? (text, parameters) => Effect.map(sql.unsafe(text, parameters).raw, affectedRows)
        : (text, parameters) => Effect.map(rows(text, parameters), (removed) => removed.length),
    together: (effect) =>
      Effect.flatMap(Effect.serviceOption(SqlClient.TransactionConnection), (outer) => {
        if (Option.isSome(outer)) return sql.withTransaction(effect)
        // From before it begins till it has ended: else another's statement would be a part of it.
        return Effect.acquireUseRelease(
          Effect.sync(() => transactions++),
          () => inTurn(Effect.zipRight(allExecuted, transaction(sql, effect))),
          () => Effect.sync(() => transactions--)
        )
      }),
    run: (operation, effect, then) => attempt(dialect, operation, effect, then, 0)
  }
}

/**
 * Not that of the client. Where COMMIT fails (SQLite without WAL, and somebody reads), that one
 * leaves its transaction open: what is set from then on is acknowledged, and never committed. Where
 * BEGIN throws (SQLite, closed) it keeps the only connection for ever. And who waits for one
 * cannot be interrupted.
 */
const transaction = <A>(
  sql: SqlClient.SqlClient,
  effect: Effect.Effect<A, SqlError.SqlError>
): Effect.Effect<A, SqlError.SqlError> =>
  Effect.scoped(
    Effect.flatMap(sql.reserve, (connection) => {
      const run = (text: string) =>
        Effect.catchAllDefect(
          Effect.suspend(() => connection.executeUnprepared(text, [], undefined)),
          (cause) => Effect.fail(new SqlError.SqlError({ cause }))
        )
      return Effect.acquireUseRelease(
        run("BEGIN"),
        () =>
          Effect.zipLeft(
            Effect.provideService(effect, SqlClient.TransactionConnection, [connection, 0]),
            Effect.uninterruptible(run("COMMIT"))
          ),
        // It fails where the database has rolled back by itself.
        (_, exit) => (Exit.isSuccess(exit) ? Effect.void : Effect.ignore(run("ROLLBACK")))
      )
    })
  )

const affectedRows = (result: unknown): number =>
  Number((result as { readonly affectedRows: unknown }).affectedRows)

const attempt = <A, B>(
  dialect: Dialect,
  operation: string,
  effect: Effect.Effect<A, SqlError.SqlError>,
  then: (result: A) => Effect.Effect<B, StorageError>,
  failures: number
): Effect.Effect<B, StorageError> =>
  Effect.matchCauseEffect(effect, {
    onSuccess: then,
    onFailure: (cause) => {
      const error = sqlErrorIn(cause)
      if (error === undefined) return Effect.failCause(cause as Cause.Cause<never>)
      const fails = Effect.fail(storageError(dialect, operation, error.cause))
      if (failures >= mostFailures || !dialect.isContention(codeOf(error.cause))) return fails
      // In a transaction of the user's, what came before would have to be tried again, too.
      return Effect.flatMap(Effect.serviceOption(SqlClient.TransactionConnection), (outer) =>
        Option.isSome(outer)
          ? fails
          : Effect.delay(
              Effect.suspend(() => attempt(dialect, operation, effect, then, failures + 1)),
              Math.random() * 10 * 2 ** failures
            )
      )
    }
  })

const mostFailures = 7

/** A transaction that cannot begin or commit ends with a defect. */
const sqlErrorIn = (cause: Cause.Cause<SqlError.SqlError>): SqlError.SqlError | undefined =>
  Cause.isInterrupted(cause)
    ? undefined
    : Option.getOrUndefined(
        Cause.find(cause, (it) =>
          it._tag === "Fail"
            ? Option.some(it.error)
            : it._tag === "Die" && it.defect instanceof SqlError.SqlError
              ? Option.some(it.defect)
              : Option.none()
        )
      )
