/** How databases look for what they are asked for. */
import { expect, layer } from "@effect/vitest"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import { rangeOf } from "../../src/sql/keys.js"
import type { Dialect } from "../../src/sql/Dialect.js"
import { mysql } from "../../src/sql/mysql.js"
import { postgres } from "../../src/sql/postgres.js"
import { sqlite } from "../../src/sql/sqlite.js"
import { statementsOf } from "../../src/sql/statements.js"
import { Storage } from "effect-larder"
import { SqlStorage } from "effect-larder/sql"
import { describeWithServer } from "../servers/describeWithServer.js"
import { databases } from "./databases.js"

interface Expected {
  readonly dialect: Dialect
  readonly explain: string
  readonly analyze: string
  readonly keys: RegExp
  readonly expired: RegExp
}

const expected: Readonly<Record<string, Expected>> = {
  SQLite: {
    dialect: sqlite,
    explain: "EXPLAIN QUERY PLAN",
    analyze: "ANALYZE",
    keys: /SEARCH \w+ USING INDEX sqlite_autoindex_\w+_1 \(id>\? AND id<\?\)/,
    expired: /SEARCH \w+ USING INDEX larder_entries_expires_at \(expires_at<\?\)/
  },
  PostgreSQL: {
    dialect: postgres,
    explain: "EXPLAIN",
    analyze: "ANALYZE larder_entries",
    keys: /Index Scan using larder_entries_pkey .*Index Cond: \(\(id >= .* AND \(id < /s,
    expired: /Index Scan using larder_entries_expires_at .*Index Cond: \(expires_at <= /s
  },
  MariaDB: {
    dialect: mysql,
    explain: "EXPLAIN",
    analyze: "ANALYZE TABLE larder_entries",
    keys: /"type":"range".*"key":"PRIMARY"/,
    expired: /"type":"range".*"key":"larder_entries_expires_at"/
  }
}

for (const { client, needs, title } of databases) {
  describeWithServer(title, needs, () => {
    layer(client, { excludeTestServices: true, timeout: 60_000 })((it) => {
      it.effect("keys of a prefix are read from the index, and no others", () =>
        Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          const { analyze, dialect, expired, explain, keys } = expected[title]!
          const entries = Array.from({ length: 20_000 }, (_, index) => {
            const kind = index % 100 === 0 ? "pipeline:x:" : `other:${index % 7}:`
            return [`${kind}${index}`, index] as const
          })
          yield* Storage.setMany(entries, { ttl: "1 day" })
          yield* Storage.setMany(
            entries.slice(1, 20).map(([key]) => [`${key}-brief`, 1] as const),
            { ttl: 1 }
          )
          yield* sql.unsafe(analyze)
          const { before, from } = rangeOf("pipeline:x:")
          const statements = statementsOf(dialect, "larder_entries")
          const planOf = (text: string, parameters: ReadonlyArray<unknown>) =>
            Effect.map(sql.unsafe(`${explain} ${text}`, parameters), (plan) => JSON.stringify(plan))
          const plan = yield* planOf(statements.keys, [from, before])
          console.log(`${title}: ${plan}`)
          expect(plan).toMatch(keys)
          expect(yield* planOf(statements.expired, [])).toMatch(expired)
          expect((yield* Storage.keys("pipeline:x:*")).length).toBe(200)
        }).pipe(Effect.provide(SqlStorage.layer()))
      )
    })
  })
}
