import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlStorage } from "effect-larder/sql"
import { storageConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startMariadb } from "../servers/mariadb.js"
import { mariadbClient } from "../sql/databases.js"
import { agreesWithModel } from "../storage/model.js"

const tests = { describe, it }

describeWithServer("MariaDB", ["mariadbd"], () => {
  const server = started(startMariadb())
  const client = Layer.unwrapEffect(Effect.map(server, mariadbClient))
  const storage = (options?: SqlStorage.SqlStorageOptions) =>
    Layer.provide(SqlStorage.layer(options), client)

  storageConformance("storage in MariaDB", storage(), tests)
  storageConformance(
    "storage in MariaDB, with a ttl",
    storage({ table: "Results_2", ttl: "1 hour" }),
    tests,
    { ttl: "1 hour" }
  )
  agreesWithModel("storage in MariaDB", storage())
})
