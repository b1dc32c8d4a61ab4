/** PostgreSQL. */
import type { Dialect } from "./Dialect.js"

export const postgres: Dialect = {
  name: "postgresql",
  parameter: (n) => `$${n}`,
  // Of a clock_timestamp() no index on a time makes use, for it changes all through a statement;
  // now() is when the transaction began, which may be long ago.
  now: "(extract(epoch from statement_timestamp()) * 1000)::bigint",
  cast: { bytes: "::bytea", integer: "::bigint", text: "::text" },
  onConflict: (columns) =>
    `ON CONFLICT (id) DO UPDATE SET ${columns.map((it) => `${it} = excluded.${it}`).join(", ")}`,
  // By itself it locks in the order of its scan, which in a small table is that of the file.
  amongLocked: (table, condition) =>
    `id IN (SELECT id FROM ${table} WHERE ${condition} ORDER BY id FOR UPDATE)`,
  returning: "RETURNING 1",
  create: ({ index, table }) => [
    `CREATE TABLE IF NOT EXISTS ${table} (
      id bytea NOT NULL PRIMARY KEY,
      long_key bytea,
      version bigint NOT NULL,
      created_at bigint NOT NULL,
      expires_at bigint,
      metadata text NOT NULL,
      value text NOT NULL
    )`,
    `CREATE INDEX IF NOT EXISTS ${index} ON ${table} (expires_at) WHERE expires_at IS NOT NULL`
  ],
  columns: `SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
      coalesce(i.indkey::text = a.attnum::text, false) AS is_key
    FROM pg_attribute a
    LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
    WHERE a.attrelid = to_regclass(quote_ident($1)) AND a.attnum > 0 AND NOT a.attisdropped`,
  types: {
    id: "bytea",
    long_key: "bytea",
    version: "bigint",
    created_at: "bigint",
    expires_at: "bigint",
    metadata: "text",
    value: "text"
  },
  isContention: (code) => code === "40001" || code === "40P01",
  rules: [
    {
      code: /^(28...)$/,
      reason: "Denied",
      advice: "the server does not accept this user with this password: check both"
    },
    {
      code: /^42501$/,
      reason: "Denied",
      advice:
        "this user may not do that: grant SELECT, INSERT, UPDATE and DELETE on the table, and " +
        "CREATE on the schema until it is there"
    },
    {
      code: /^25006$/,
      reason: "ReadOnly",
      advice: "this server, or this user, writes nothing: connect to the primary"
    },
    { code: /^53100$/, reason: "Full", advice: "the server's disk is full: make room" },
    {
      code: /^(57014|55P03|25P03|57P05)$/,
      reason: "Timeout",
      advice:
        "the server gave up (statement_timeout, lock_timeout): who holds it up is in pg_stat_activity"
    },
    {
      code: /^3D000$/,
      reason: "Unavailable",
      advice: "there is no such database: create it, or name another one"
    },
    {
      code: /^(08...|57P..|53300)$/,
      reason: "Unavailable",
      advice: "the server takes no connection: is it up, and has it any left?"
    }
  ],
  // What is wrong with a connection, a transaction, a statement, a server: of those texts values
  // are no part. Class 22 quotes them, class 23 may.
  isMessageSafe: (code) => /^(08|25|28|3D|40|42|53|55|57|58)...$/.test(code)
}
