/** MySQL and MariaDB. Their numbers of errors are the same, their names are not always. */
import type { Dialect } from "./Dialect.js"

export const mysql: Dialect = {
  name: "mysql",
  parameter: () => "?",
  // UNIX_TIMESTAMP(NOW(3)) goes through the time zone of the session: one hour a year is twice there.
  now: "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000)",
  cast: { bytes: "", integer: "", text: "" },
  // MariaDB does not know `AS excluded`, which MySQL would rather have.
  onConflict: (columns) =>
    `ON DUPLICATE KEY UPDATE ${columns.map((it) => `${it} = VALUES(${it})`).join(", ")}`,
  // It scans, and so locks, in the order of the ids: a table is the index of them.
  amongLocked: (_, condition) => condition,
  // MySQL has no RETURNING.
  returning: "",
  create: ({ index, table }) => [
    `CREATE TABLE IF NOT EXISTS ${table} (
      id VARBINARY(512) NOT NULL PRIMARY KEY,
      long_key LONGBLOB,
      version BIGINT NOT NULL,
      created_at BIGINT NOT NULL,
      expires_at BIGINT,
      metadata LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
      value LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
      INDEX ${index} (expires_at)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`
  ],
  // Before 8.0.19, MySQL shows how wide an integer is shown.
  columns: `SELECT column_name AS name,
      CASE WHEN column_type LIKE 'bigint(%)' THEN 'bigint' ELSE column_type END AS type,
      column_key = 'PRI' AS is_key
    FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = ?`,
  types: {
    id: "varbinary(512)",
    long_key: "longblob",
    version: "bigint",
    created_at: "bigint",
    expires_at: "bigint",
    metadata: "longtext",
    value: "longtext"
  },
  // Deadlock; "Record has changed since last read" of MariaDB.
  isContention: (code) => code === "1213" || code === "1020",
  rules: [
    {
      code: /^(1045|1698|3118)$/,
      reason: "Denied",
      advice: "the server does not accept this user with this password: check both"
    },
    {
      code: /^(1044|1142|1143|1227|1370)$/,
      reason: "Denied",
      advice:
        "this user may not do that: grant SELECT, INSERT, UPDATE and DELETE on the table, and " +
        "CREATE on the database until it is there"
    },
    {
      code: /^(1290|1792|1836|3032)$/,
      reason: "ReadOnly",
      advice: "this server, or this user, writes nothing: connect to the primary"
    },
    { code: /^(1021|1114)$/, reason: "Full", advice: "the server's disk is full: make room" },
    {
      code: /^(1205|1969|3024|1317)$/,
      reason: "Timeout",
      advice:
        "the server gave up (innodb_lock_wait_timeout, max_statement_time): who holds it up is in " +
        "SHOW PROCESSLIST"
    },
    {
      code: /^1049$/,
      reason: "Unavailable",
      advice: "there is no such database: create it, or name another one"
    },
    {
      code: /^(1040|1053|1077|1129|1130|1158|1159|1160|1161|1203|1927|4031)$/,
      reason: "Unavailable",
      advice: "the server takes no connection: is it up, and has it any left?"
    },
    {
      code: /^1153$/,
      reason: "Refused",
      advice: "what was sent is larger than the server's max_allowed_packet: make that larger"
    }
  ],
  isMessageSafe: (code) => mysql.rules.some((rule) => rule.code.test(code)) || code === "1146"
}
