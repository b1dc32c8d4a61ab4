/**
 * PostgreSQL, MySQL and SQLite, over any `SqlClient`: needs `@effect/sql`.
 *
 * @module effect-larder/sql
 * @since 0.1.0
 */

/** Lasting entries in a table of an SQL database. */
export * as SqlStorage from "./sqlStorage.js"
