// One layer a store: nothing else differs.
import { MysqlClient } from "@effect/sql-mysql2"
import { PgClient } from "@effect/sql-pg"
import { Layer, Redacted } from "effect"
import { MemoryStorage } from "effect-larder"
import { RedisClient, RedisStorage } from "effect-larder/redis"
import { SqlStorage } from "effect-larder/sql"
import { SqliteStorage } from "effect-larder/sqlite"

export const memory = MemoryStorage.layer()

export const sqlite = SqliteStorage.layer({ filename: ":memory:" })

export const postgres = (url: string) =>
  SqlStorage.layer().pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url) })))

export const mysql = (url: string) =>
  SqlStorage.layer().pipe(Layer.provide(MysqlClient.layer({ url: Redacted.make(url) })))

export const redis = (url: string) =>
  RedisStorage.layer({ ttl: "1 day" }).pipe(Layer.provide(RedisClient.layer({ url })))
