/** Lasting entries in a table of an SQL database. */
import * as SqlClient from "@effect/sql/SqlClient"
import type * as Connection from "@effect/sql/SqlConnection"
import type * as SqlError from "@effect/sql/SqlError"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type {
  Search,
  StorageBackend,
  StorageError,
  Stored,
  Writing
} from "../port/StorageBackend.js"
import type { Dialect } from "./Dialect.js"
import { after, bufferOf, idText, keyOf, type Place, placeOf, rangeOf } from "./keys.js"
import { isTableName, prepare } from "./migrations.js"
import { mysql } from "./mysql.js"
import { postgres } from "./postgres.js"
import * as Queries from "./queries.js"
import { sqlite } from "./sqlite.js"
import {
  batchesOf,
  paddedBatchesOf,
  pageOfEntries,
  pageOfKeys,
  type Statements,
  statementsOf
} from "./statements.js"

/** The dialect of a client. Any other than these is a defect. */
const dialectOf = (sql: SqlClient.SqlClient): Dialect => {
  const unknown = (name: string) => () => {
    throw new Error(`effect-larder: no storage on ${name}; allowed: SQLite, PostgreSQL, MySQL`)
  }
  return sql.onDialect<Dialect, Dialect, Dialect, Dialect, Dialect>({
    sqlite: () => sqlite,
    pg: () => postgres,
    mysql: () => mysql,
    mssql: unknown("SQL Server"),
    clickhouse: unknown("ClickHouse")
  })
}

/** A wrong name of a table is a defect. Where there is no such table, it is created. */
export const make = (
  table: string,
  sql: SqlClient.SqlClient,
  own?: Connection.Connection
): Effect.Effect<StorageBackend, StorageError> =>
  Effect.gen(function* () {
    if (!isTableName(table)) throw wrongName(table)
    const dialect = dialectOf(sql)
    const queries = Queries.make(sql, dialect, own)
    const quote = (identifier: string) => sql`${sql(identifier)}`.compile(true)[0]
    yield* prepare(sql, dialect, queries, { name: table, quote })
    return backendOf(dialect, queries, statementsOf(dialect, quote(table)))
  })

const wrongName = (table: string): Error =>
  new Error(
    `effect-larder: table is ${JSON.stringify(String(table).slice(0, 100))}; allowed: 1 to 48 ` +
      "characters out of A-Z a-z 0-9 _, the first of them no digit"
  )

type Row = Readonly<Record<string, unknown>>
type Bytes = Uint8Array | ArrayBuffer

/** PostgreSQL's driver gives a bigint as text; another one may be told to give it as a bigint. */
const storedOf = (key: string, row: Row): Stored => ({
  key,
  value: row["value"] as string,
  metadata: row["metadata"] as string,
  version: Number(row["version"]),
  createdAt: Number(row["created_at"]),
  expiresAt: row["expires_at"] === null ? Infinity : Number(row["expires_at"])
})

const isOver = (row: Row): boolean => Boolean(row["is_over"])

const keyIn = (row: Row): string => keyOf(row["id"] as Bytes, row["long_key"] as Bytes | null)

/** An entry with its place. */
interface Placed extends Place {
  readonly entry: Writing
}

const placed = (entry: Writing): Placed => ({ ...placeOf(entry.key), entry })

const parametersOf = (batch: ReadonlyArray<Placed>): ReadonlyArray<unknown> => {
  const parameters: Array<unknown> = []
  for (const { entry, id, longKey } of batch) {
    const { metadata, ttl, value, version } = entry
    parameters.push(id, longKey, version, ttl === Infinity ? null : ttl, metadata, value)
  }
  return parameters
}

const backendOf = (
  dialect: Dialect,
  queries: Queries.Queries,
  statements: Statements
): StorageBackend => {
  const { removed, rows, run, together } = queries

  /**
   * It fails where nothing may be written. What was asked for has been read all the same.
   *
   * A failure would undo a transaction of the user's, who only reads, and was told of none.
   */
  const forget = (ids: ReadonlyArray<Buffer>): Effect.Effect<void> =>
    Effect.flatMap(Effect.serviceOption(SqlClient.TransactionConnection), (outer) =>
      Option.isSome(outer)
        ? Effect.void
        : Effect.ignore(rows(statements.deleteExpired(ids.length), ids))
    )

  const getOne = (key: string) => {
    const { id } = placeOf(key)
    return run(
      "get",
      rows(statements.get, [id]),
      ([row]): Effect.Effect<ReadonlyArray<Stored | undefined>> =>
        row === undefined
          ? Effect.succeed([undefined])
          : isOver(row)
            ? Effect.as(forget([id]), [undefined])
            : Effect.succeed([storedOf(key, row)])
    )
  }

  const getSeveral = (keys: ReadonlyArray<string>) => {
    const ids = keys.map((key) => placeOf(key).id)
    const found = Effect.forEach(paddedBatchesOf(ids), (batch) =>
      rows(statements.getMany(batch.length), batch)
    )
    return run("getMany", found, (pages) => {
      const byId = new Map(pages.flat().map((row) => [idText(row["id"] as Bytes), row]))
      const over: Array<Buffer> = []
      const stored = ids.map((id, index) => {
        const row = byId.get(idText(id))
        if (row === undefined) return undefined
        if (!isOver(row)) return storedOf(keys[index]!, row)
        over.push(id)
        return undefined
      })
      return Effect.as(Effect.forEach(paddedBatchesOf(over), forget, { discard: true }), stored)
    })
  }

  /** Always in the same order: two who write the same entries at once wait, and do not deadlock. */
  const setSeveral = (entries: ReadonlyArray<Writing>) => {
    const inOrder = entries.map(placed).toSorted((one, other) => Buffer.compare(one.id, other.id))
    const written = batchesOf(inOrder, ({ entry }) => sizeOf(entry)).map((batch) =>
      rows(statements.setMany(batch.length), parametersOf(batch))
    )
    return run("set", inOne(written), () => Effect.void)
  }

  const inOne = <A>(
    effects: ReadonlyArray<Effect.Effect<A, SqlError.SqlError>>
  ): Effect.Effect<ReadonlyArray<A>, SqlError.SqlError> =>
    effects.length === 1 ? Effect.all(effects) : together(Effect.all(effects))

  const removeAll = (
    text: (ids: number) => string,
    ids: ReadonlyArray<Buffer>,
    parameters: ReadonlyArray<unknown>
  ) =>
    paddedBatchesOf(ids.toSorted(Buffer.compare)).map((batch) =>
      removed(text(batch.length), [...batch, ...parameters])
    )

  const search = <A>(
    { start }: Search,
    text: string,
    limit: number,
    make: (row: Row) => A
  ): Stream.Stream<A, StorageError> => {
    const { before, from } = rangeOf(start)
    return Stream.paginateChunkEffect(from, (from) =>
      run("keys", rows(text, [from, before]), (page) =>
        Effect.succeed([
          Chunk.unsafeFromArray(page.map(make)),
          page.length < limit
            ? Option.none<Buffer>()
            : Option.some(after(page.at(-1)!["id"] as Bytes))
        ] as const)
      )
    )
  }

  /** Page by page. Another may be at it: what it has removed is not counted here. */
  const sweep = (
    page: (from: Buffer) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>,
    text: (ids: number) => string,
    parameters: ReadonlyArray<unknown>
  ): Effect.Effect<number, StorageError> => {
    const from = (start: Buffer, before: number): Effect.Effect<number, StorageError> =>
      run("cleanup", page(start), (found) => {
        const ids = found.map((row) => bufferOf(row["id"] as Bytes))
        if (ids.length === 0) return Effect.succeed(before)
        return run("cleanup", inOne(removeAll(text, ids, parameters)), (counts) => {
          const count = sum(counts)
          return ids.length < pageOfKeys || count === 0
            ? Effect.succeed(before + count)
            : from(after(ids.at(-1)!), before + count)
        })
      })
    return from(Buffer.alloc(0), 0)
  }

  return {
    name: dialect.name,
    getMany: (keys) => (keys.length === 1 ? getOne(keys[0]!) : getSeveral(keys)),
    setMany: (entries) =>
      entries.length === 1
        ? run(
            "set",
            rows(statements.setMany(1), parametersOf(entries.map(placed))),
            () => Effect.void
          )
        : setSeveral(entries),
    deleteMany: (keys) => {
      const ids = keys.map((key) => placeOf(key).id)
      return run("delete", inOne(removeAll(statements.deleteMany, ids, [])), (counts) =>
        Effect.succeed(sum(counts))
      )
    },
    exists: (key) =>
      run("exists", rows(statements.exists, [placeOf(key).id]), (found) =>
        Effect.succeed(found.length > 0)
      ),
    keys: (searched) => search(searched, statements.keys, pageOfKeys, keyIn),
    entries: (searched) =>
      search(searched, statements.entries, pageOfEntries, (row) => storedOf(keyIn(row), row)),
    cleanup: (olderThan) => {
      const expired = sweep(() => rows(statements.expired, []), statements.deleteExpired, [])
      if (olderThan === undefined) return expired
      const age = Math.min(Math.floor(olderThan), oldest)
      const page = (from: Buffer) => rows(statements.old, [from, age])
      return Effect.zipWith(expired, sweep(page, statements.deleteOld, [age]), (a, b) => a + b)
    }
  }
}

/** Milliseconds: longer than there has been a time to count from. */
const oldest = 4.32e15

/** In characters, more or less: enough to see what is too much for a packet. */
const sizeOf = ({ key, metadata, value }: Writing): number =>
  key.length + metadata.length + value.length

const sum = (counts: ReadonlyArray<number>): number =>
  counts.reduce((total, count) => total + count, 0)
