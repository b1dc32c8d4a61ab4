/** One of several processes that want the same locks in Redis, and guard a row with them. */
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { DistributedLock, type Held } from "effect-larder"
import { RedisClient, RedisLock } from "effect-larder/redis"
import { Redis } from "ioredis"
import { post, serve } from "../servers/serve.js"
import { bookOf, type Fight, type Surroundings } from "./locks.js"

const make = Effect.gen(function* () {
  const { database, url }: Surroundings = JSON.parse(process.env["LARDER_LOCKS"] ?? "{}")
  const redis = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (it) => Effect.sync(() => it.disconnect())
  )
  const client = RedisClient.layer({ url, commandTimeout: "5 seconds" })
  const locks = yield* Layer.build(Layer.provide(RedisLock.layer, client))
  const sqlite = SqliteClient.layer({ filename: database, disableWAL: true })
  const sql = yield* Effect.provide(SqlClient.SqlClient, yield* Layer.build(sqlite))
  const scope = yield* Effect.scope
  let held: { readonly lock: Held; readonly scope: Scope.CloseableScope } | undefined

  const write = (name: string, what: string) =>
    Effect.promise(() => redis.rpush(bookOf(name), what))

  /** How often it has been in. */
  const fighter = ({ millis, name }: Fight, until: number) =>
    Effect.gen(function* () {
      let turns = 0
      while (Date.now() < until) {
        const enter = Effect.gen(function* () {
          const { fence } = yield* DistributedLock.acquire(name, { wait: millis + 30_000 })
          yield* write(name, `in ${fence}`)
          yield* write(name, `out ${fence}`)
        })
        yield* Effect.scoped(enter)
        turns++
      }
      return turns
    })

  return {
    fight: (fight: Fight) =>
      Effect.all(
        Array.from({ length: fight.fibers }, () => fighter(fight, Date.now() + fight.millis)),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(locks)),
    /** Holds a lock until it is told to let go, and says when it is lost. */
    hold: ({ duration, name }: { readonly name: string; readonly duration: number }) =>
      Effect.gen(function* () {
        const own = yield* Scope.make()
        const options = { duration, wait: "30 seconds" } as const
        const lock = yield* Scope.extend(DistributedLock.acquire(name, options), own)
        held = { lock, scope: own }
        const telling = Effect.catchAll(lock.lost, ({ reason }) => post(`lost: ${reason}`))
        yield* Effect.forkIn(telling, scope)
        return String(lock.fence)
      }).pipe(Effect.provide(locks)),
    letGo: () => (held === undefined ? Effect.void : Scope.close(held.scope, Exit.void)),
    /** Writes the row that the lock guards: 1 if it was taken, 0 if it was refused. */
    writeRow: ({ value }: { readonly value: string }) =>
      Effect.gen(function* () {
        const fence = held?.lock.fence ?? 0n
        const rows = yield* sql`
          UPDATE guarded SET value = ${value}, fence = ${fence} WHERE fence < ${fence} RETURNING value`
        return rows.length
      })
  }
})

export type LockHandlers = Effect.Effect.Success<typeof make>

serve(make)
