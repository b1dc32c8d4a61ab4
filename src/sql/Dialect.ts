/** Where databases differ. */
import type { StorageError } from "../port/StorageBackend.js"

export interface Dialect {
  /** As it is called in errors. */
  readonly name: string
  /** The nth parameter of a statement, from 1 on. */
  readonly parameter: (n: number) => string
  /**
   * The time of a statement: whole milliseconds since 1970, the same all through it, and no matter
   * which time zone the session has.
   */
  readonly now: string
  /** What makes a parameter a value of a column, where the database does not find out by itself. */
  readonly cast: Readonly<Record<ParameterType, string>>
  /** What an INSERT ends with, so that it takes the place of what has the key. */
  readonly onConflict: (columns: ReadonlyArray<string>) => string
  /**
   * Which rows a DELETE removes, of those with these ids that are so. It locks them in the order
   * of their ids: two who write and remove the same entries at once wait, and do not deadlock.
   */
  readonly amongLocked: (table: string, condition: string) => string
  /** What a DELETE ends with, so that it gives a row for each it has removed; empty: it says their number. */
  readonly returning: string
  /** Creates the table and its index, unless they are there. */
  readonly create: (names: Names) => ReadonlyArray<string>
  /** Gives `name`, `type` and `is_key` for each column of the table; nothing: there is none. */
  readonly columns: string
  /** What `columns` must give. */
  readonly types: Readonly<Record<Column, string>>
  /** Has a transaction failed for no reason but that there was another? Then it is tried again. */
  readonly isContention: (code: string) => boolean
  readonly rules: ReadonlyArray<Rule>
  /** Is it certain that no value is in the message of such an error? */
  readonly isMessageSafe: (code: string) => boolean
}

export type ParameterType = "bytes" | "integer" | "text"

/** Quoted. */
export interface Names {
  readonly table: string
  readonly index: string
}

/** What an error's code means, and what to do. */
export interface Rule {
  readonly code: RegExp
  readonly reason: StorageError["reason"]
  readonly advice: string
}

export type Column =
  "id" | "long_key" | "version" | "created_at" | "expires_at" | "metadata" | "value"

/** The value is the last one: SQLite reads what is before it without reading it. */
export const columnNames: ReadonlyArray<Column> = [
  "id",
  "long_key",
  "version",
  "created_at",
  "expires_at",
  "metadata",
  "value"
]
