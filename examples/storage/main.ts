// One program, on every store that has an address in the environment.
import { Console, Effect } from "effect"
import * as layers from "./layers.js"
import { program } from "./program.js"

const { MYSQL_URL, POSTGRES_URL, REDIS_URL } = process.env

const main = Effect.gen(function* () {
  const say = (store: string) => (found: string) => Console.log(`${store}: ${found}`)
  yield* program.pipe(Effect.provide(layers.memory), Effect.flatMap(say("memory")))
  yield* program.pipe(Effect.provide(layers.sqlite), Effect.flatMap(say("SQLite")))
  if (POSTGRES_URL !== undefined) {
    const postgres = layers.postgres(POSTGRES_URL)
    yield* program.pipe(Effect.provide(postgres), Effect.flatMap(say("PostgreSQL")))
  }
  if (MYSQL_URL !== undefined) {
    const mysql = layers.mysql(MYSQL_URL)
    yield* program.pipe(Effect.provide(mysql), Effect.flatMap(say("MySQL")))
  }
  if (REDIS_URL !== undefined) {
    const redis = layers.redis(REDIS_URL)
    yield* program.pipe(Effect.provide(redis), Effect.flatMap(say("Redis")))
  }
})

Effect.runPromise(main)
