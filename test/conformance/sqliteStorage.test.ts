import * as Layer from "effect/Layer"
import { SqlStorage } from "effect-larder/sql"
import { SqliteStorage } from "effect-larder/sqlite"
import { storageConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { shared } from "../redis/backends.js"
import { sqliteClient, sqliteFile } from "../sql/databases.js"
import { agreesWithModel } from "../storage/model.js"

const tests = { describe, it }

const filename = await shared(sqliteFile)
const other = await shared(sqliteFile)

storageConformance("storage in a file of SQLite", SqliteStorage.layer({ filename }), tests)

storageConformance(
  "storage in a table of SQLite, with a ttl",
  SqlStorage.layer({ table: "Results_2", ttl: "1 hour" }).pipe(
    Layer.provide(sqliteClient({ filename: other }))
  ),
  tests,
  { ttl: "1 hour" }
)

storageConformance(
  "storage in SQLite's memory",
  SqliteStorage.layer({ filename: ":memory:" }),
  tests,
  { isShared: false }
)

agreesWithModel("storage in a file of SQLite", SqliteStorage.layer({ filename }))
