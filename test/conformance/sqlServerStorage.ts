/** What a storage on an SQL server has to pass: the suite, twice, and the model. */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { SqlStorage } from "effect-larder/sql"
import { storageConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import { started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { agreesWithModel } from "../storage/model.js"

const tests = { describe, it }

export const sqlServerStorage = <E>(
  server: string,
  needs: Parameters<typeof describeWithServer>[1],
  start: Effect.Effect<Layer.Layer<SqlClient.SqlClient, unknown>, E, Scope.Scope>
): void =>
  describeWithServer(server, needs, () => {
    const client = Layer.unwrapEffect(started(start))
    const storage = (options?: SqlStorage.SqlStorageOptions) =>
      Layer.provide(SqlStorage.layer(options), client)
    const name = `storage in ${server}`

    storageConformance(name, storage(), tests)
    const withTtl = storage({ table: "Results_2", ttl: "1 hour" })
    storageConformance(`${name}, with a ttl`, withTtl, tests, { ttl: "1 hour" })
    agreesWithModel(name, storage())
  })
