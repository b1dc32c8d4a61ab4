/**
 * A file of SQLite: needs `@effect/sql` and `@effect/sql-sqlite-node`.
 *
 * @module effect-larder/sqlite
 * @since 0.1.0
 */

/** Lasting entries in a file. */
export * as SqliteStorage from "./sqliteStorage.js"
export { SqliteStorageLive } from "./sqliteStorage.js"
