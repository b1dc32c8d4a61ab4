/** The texts of all statements on one table. Nothing of a user's is in them but the table's name. */
import { columnNames, type Dialect } from "./Dialect.js"

export interface Statements {
  /** Of one entry, by its id. */
  readonly get: string
  readonly exists: string
  /** Likewise, of as many ids as are said. */
  readonly getMany: (ids: number) => string
  readonly setMany: (entries: number) => string
  /** Removes what has not expired. */
  readonly deleteMany: (ids: number) => string
  /** Removes what has expired. */
  readonly deleteExpired: (ids: number) => string
  /** Removes what does not expire, and is older than the last parameter says. */
  readonly deleteOld: (ids: number) => string
  /** A page of keys from an id on, and before another. */
  readonly keys: string
  readonly entries: string
  readonly expired: string
  /** From an id on. */
  readonly old: string
}

/** Rows of a page, and the most that one statement takes. */
export const pageOfKeys = 1_000
/** Fewer, for they have values. */
export const pageOfEntries = 100

export const statementsOf = (dialect: Dialect, table: string): Statements => {
  const { cast, now, parameter, returning } = dialect
  const isLive = `(expires_at IS NULL OR expires_at > ${now})`
  const isOver = `expires_at <= ${now}`
  const isOld = (n: number) =>
    `expires_at IS NULL AND created_at < ${now} - ${parameter(n)}${cast.integer}`
  const columns = `version, created_at, expires_at, metadata, value, ${isOver} AS is_over`
  const isAmong = (ids: number) => `id IN (${list(ids, (index) => parameter(index + 1))})`
  const range = `id >= ${parameter(1)} AND id < ${parameter(2)} AND ${isLive} ORDER BY id`
  const remove = (ids: number, condition: string): string => {
    const which = `${isAmong(ids)} AND ${condition}`
    const inOrder = ids === 1 ? which : dialect.amongLocked(table, which)
    return `DELETE FROM ${table} WHERE ${inOrder} ${returning}`
  }
  const conflicting = dialect.onConflict(columnNames.slice(1))

  return {
    get: `SELECT ${columns} FROM ${table} WHERE id = ${parameter(1)}`,
    exists: `SELECT 1 FROM ${table} WHERE id = ${parameter(1)} AND ${isLive}`,
    getMany: remembered((ids) => `SELECT id, ${columns} FROM ${table} WHERE ${isAmong(ids)}`),
    setMany: remembered((entries) => {
      const rows = list(entries, (index) => rowOf(dialect, index * parametersOfRow))
      return `INSERT INTO ${table} (${columnNames.join(", ")}) VALUES ${rows} ${conflicting}`
    }),
    deleteMany: remembered((ids) => remove(ids, isLive)),
    deleteExpired: remembered((ids) => remove(ids, isOver)),
    deleteOld: remembered((ids) => remove(ids, isOld(ids + 1))),
    keys: `SELECT id, long_key FROM ${table} WHERE ${range} LIMIT ${pageOfKeys}`,
    entries: `SELECT id, long_key, ${columns} FROM ${table} WHERE ${range} LIMIT ${pageOfEntries}`,
    expired: `SELECT id FROM ${table} WHERE ${isOver} ORDER BY expires_at LIMIT ${pageOfKeys}`,
    old:
      `SELECT id FROM ${table} WHERE id >= ${parameter(1)} AND ${isOld(2)} ` +
      `ORDER BY id LIMIT ${pageOfKeys}`
  }
}

const list = (length: number, item: (index: number) => string): string =>
  Array.from({ length }, (_, index) => item(index)).join(", ")

/** id, long_key, version, ttl, metadata, value. */
const parametersOfRow = 6

const rowOf = ({ cast, now, parameter }: Dialect, before: number): string => {
  const at = (n: number) => parameter(before + n)
  const [id, longKey] = [at(1) + cast.bytes, at(2) + cast.bytes]
  const [version, ttl] = [at(3) + cast.integer, at(4) + cast.integer]
  const [metadata, value] = [at(5) + cast.text, at(6) + cast.text]
  return `(${id}, ${longKey}, ${version}, ${now}, ${now} + ${ttl}, ${metadata}, ${value})`
}

const remembered = (make: (count: number) => string): ((count: number) => string) => {
  const texts = new Map<number, string>()
  return (count) => {
    const known = texts.get(count)
    if (known !== undefined) return known
    const text = make(count)
    texts.set(count, text)
    return text
  }
}

/** The most rows of one statement: SQLite has 32,766 parameters, PostgreSQL and MySQL 65,535. */
const mostRows = 512

/** Characters: what is sent must go into one packet, and be in memory on both sides. */
const mostText = 1_000_000

/**
 * Cuts what is written into statements whose number of rows is a power of two, so that there are
 * ten texts in all: a database remembers what it has made of a text.
 */
export const batchesOf = <A>(
  items: ReadonlyArray<A>,
  sizeOf: (item: A) => number
): ReadonlyArray<ReadonlyArray<A>> => {
  const batches: Array<ReadonlyArray<A>> = []
  for (let from = 0; from < items.length;) {
    let [until, size] = [from, 0]
    while (until < items.length && until - from < mostRows) {
      size += sizeOf(items[until]!)
      if (size > mostText && until > from) break
      until++
    }
    const rows = 2 ** Math.floor(Math.log2(until - from))
    batches.push(items.slice(from, from + rows))
    from += rows
  }
  return batches
}

/** Ids for statements that do not mind if one comes twice: likewise, and as few as can be. */
export const paddedBatchesOf = (
  ids: ReadonlyArray<Buffer>
): ReadonlyArray<ReadonlyArray<Buffer>> => {
  const batches: Array<ReadonlyArray<Buffer>> = []
  const most = 2 * mostRows
  for (let from = 0; from < ids.length; from += most) {
    const some = ids.slice(from, from + most)
    const padding = 2 ** Math.ceil(Math.log2(some.length)) - some.length
    batches.push(some.concat(Array.from({ length: padding }, () => some[0]!)))
  }
  return batches
}
