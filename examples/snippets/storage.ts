import { MysqlClient } from "@effect/sql-mysql2"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { MemoryStorage, Storage } from "effect-larder"
import { RedisClient, RedisStorage } from "effect-larder/redis"
import { SqlStorage } from "effect-larder/sql"
import { SqliteStorage } from "effect-larder/sqlite"

// #region layers
export const inMemory = MemoryStorage.layer()

export const inAFile = SqliteStorage.layer({ filename: "results.db" })

export const inPostgres = SqlStorage.layer({ table: "results" }).pipe(
  Layer.provide(PgClient.layer({ url: Redacted.make("postgresql://localhost/app") }))
)

export const inMysql = SqlStorage.layer().pipe(
  Layer.provide(MysqlClient.layer({ url: Redacted.make("mysql://localhost/app") }))
)

export const inRedis = RedisStorage.layer({ ttl: "1 day" }).pipe(
  Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" }))
)
// #endregion layers

// #region sweeper
export const StorageLive = Storage.sweeper(Schedule.spaced("1 hour")).pipe(
  Layer.provideMerge(inAFile)
)
// #endregion sweeper

// #region errors
export const saved = Storage.set("report", { rows: 3 }).pipe(
  Effect.as("saved"),
  Effect.catchTag("StorageError", ({ message, reason }) =>
    Effect.as(Effect.logError(message), `not saved: ${reason}`)
  )
)
// #endregion errors

// #region glance
const nightly = Effect.gen(function* () {
  yield* Storage.set("report:42", { rows: 1_024 }, { ttl: "30 days", metadata: { by: "nightly" } })
  return yield* Storage.keys("report:*")
})

export const inLarderDb = nightly.pipe(Effect.provide(SqliteStorage.layer()))
// #endregion glance
