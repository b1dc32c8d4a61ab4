/** SQLite, from 3.42 on. */
import type { Dialect } from "./Dialect.js"

export const sqlite: Dialect = {
  name: "sqlite",
  parameter: () => "?",
  // A fraction of a second as a double is a little off: without the half, by a millisecond.
  now: "CAST(unixepoch('subsec') * 1000 + 0.5 AS INTEGER)",
  cast: { bytes: "", integer: "", text: "" },
  onConflict: (columns) =>
    `ON CONFLICT (id) DO UPDATE SET ${columns.map((it) => `${it} = excluded.${it}`).join(", ")}`,
  // It has one writer at a time.
  amongLocked: (_, condition) => condition,
  returning: "RETURNING 1",
  create: ({ index, table }) => [
    `CREATE TABLE IF NOT EXISTS ${table} (
      id BLOB NOT NULL PRIMARY KEY,
      long_key BLOB,
      version INTEGER NOT NULL,
      created_at INTEGER NOT NULL,
      expires_at INTEGER,
      metadata TEXT NOT NULL,
      value TEXT NOT NULL
    )`,
    `CREATE INDEX IF NOT EXISTS ${index} ON ${table} (expires_at) WHERE expires_at IS NOT NULL`
  ],
  columns: "SELECT name, type, pk AS is_key FROM pragma_table_info(?)",
  types: {
    id: "BLOB",
    long_key: "BLOB",
    version: "INTEGER",
    created_at: "INTEGER",
    expires_at: "INTEGER",
    metadata: "TEXT",
    value: "TEXT"
  },
  isContention: (code) => code === "SQLITE_BUSY_SNAPSHOT",
  rules: [
    {
      code: /^SQLITE_READONLY/,
      reason: "ReadOnly",
      advice: "the file, or its folder, may not be written: change their permissions"
    },
    {
      code: /^SQLITE_FULL/,
      reason: "Full",
      advice: "the disk is full, or the file is as large as max_page_count lets it be: make room"
    },
    {
      code: /^SQLITE_(BUSY|LOCKED)/,
      reason: "Timeout",
      advice:
        "another process held the file for longer than this one waits (busyTimeout, 5 seconds " +
        "unless it was set): make that one's transactions shorter, or wait longer"
    },
    {
      code: /^SQLITE_(PERM|AUTH)/,
      reason: "Denied",
      advice: "this process may not open the file: change its permissions"
    },
    {
      code: /^SQLITE_(CANTOPEN|IOERR)/,
      reason: "Unavailable",
      advice: "the file cannot be opened or read: is its folder there, and may it be written?"
    },
    {
      code: /^SQLITE_NOTADB/,
      reason: "Refused",
      advice: "the file is there, and is no SQLite database: name another one, or move it away"
    },
    {
      code: /^SQLITE_CORRUPT/,
      reason: "Refused",
      advice: "the file is damaged: restore it from a copy, or see sqlite3's command .recover"
    }
  ],
  // Values are bound, and no message of its own has any.
  isMessageSafe: () => true
}
