import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlStorage } from "effect-larder/sql"
import { storageConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startPostgres } from "../servers/postgres.js"
import { postgresClient } from "../sql/databases.js"
import { agreesWithModel } from "../storage/model.js"

const tests = { describe, it }

describeWithServer("PostgreSQL", ["postgres"], () => {
  const server = started(startPostgres())
  const client = Layer.unwrapEffect(Effect.map(server, postgresClient))
  const storage = (options?: SqlStorage.SqlStorageOptions) =>
    Layer.provide(SqlStorage.layer(options), client)

  storageConformance("storage in PostgreSQL", storage(), tests)
  storageConformance(
    "storage in PostgreSQL, with a ttl",
    storage({ table: "Results_2", ttl: "1 hour" }),
    tests,
    { ttl: "1 hour" }
  )
  agreesWithModel("storage in PostgreSQL", storage())
})
