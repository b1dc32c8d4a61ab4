/** Processes that fight for a lock: killed, paused, and as many as there are. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import * as SqlClient from "@effect/sql/SqlClient"
import { expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, startRedis } from "../servers/redis.js"
import { startWorker } from "../servers/worker.js"
import { bookOf, type Surroundings } from "./locks.js"
import type { LockHandlers } from "./locks.worker.js"

/** What a busy machine may need besides. */
const aBit = 1_000

const startProcesses = (count: number) =>
  Effect.gen(function* () {
    const redis = yield* startRedis()
    const fs = yield* FileSystem.FileSystem
    const database = `${yield* fs.makeTempDirectoryScoped()}/guarded.db`
    const sqlite = SqliteClient.layer({ filename: database, disableWAL: true })
    const sql = yield* Effect.provide(SqlClient.SqlClient, yield* Layer.build(sqlite))
    yield* sql`CREATE TABLE guarded (value TEXT, fence INTEGER)`
    yield* sql`INSERT INTO guarded VALUES ('nothing', 0)`
    const surroundings: Surroundings = { url: redis.url, database }
    const all = yield* Effect.replicateEffect(
      startWorker<LockHandlers>(new URL("locks.worker.ts", import.meta.url), {
        env: { LARDER_LOCKS: JSON.stringify(surroundings) }
      }),
      count,
      { concurrency: "unbounded" }
    )
    const row = Effect.map(sql<{ value: string }>`SELECT value FROM guarded`, ([it]) => it?.value)
    return { redis, all, row }
  }).pipe(Effect.provide(NodeContext.layer))

const startTwo = Effect.map(startProcesses(2), ({ all: [one, two], row }) => {
  if (one === undefined || two === undefined) throw new Error("too few")
  return { one, two, row }
})

describeWithServer("processes that want one lock", ["redis"], () => {
  it.scopedLive(
    "never hold it two at a time, by the fence, and all get their turn",
    () =>
      Effect.gen(function* () {
        const { all, redis } = yield* startProcesses(8)
        const name = `fought over ${Date.now()}`
        const fight = { name, fibers: 50, millis: 10_000 }
        const turns = yield* Effect.forEach(all, (process) => process.ask("fight", fight), {
          concurrency: "unbounded"
        })

        const book = (yield* command(redis, "LRANGE", bookOf(name), "0", "-1")) as Array<string>
        const fences = book.flatMap((line) => (line.startsWith("in ") ? [line.slice(3)] : []))
        expect(book).toEqual(fences.flatMap((fence) => [`in ${fence}`, `out ${fence}`]))
        expect(fences.map(BigInt)).toEqual(
          [...new Set(fences)].map(BigInt).toSorted((a, b) => (a < b ? -1 : 1))
        )
        const each = turns.flat()
        expect(each).toHaveLength(400)
        expect(each.reduce((sum, one) => sum + one)).toBe(fences.length)
        console.log(
          `${fences.length} turns: ${Math.min(...each)} to ${Math.max(...each)} a fiber, ` +
            `${turns.map((of) => of.reduce((sum, one) => sum + one)).join(", ")} a process`
        )
        expect(Math.min(...each)).toBeGreaterThan(0)
        expect(Math.max(...each)).toBeLessThanOrEqual(Math.min(...each) + 2)
        yield* command(redis, "DEL", bookOf(name))
      }),
    120_000
  )

  it.scopedLive(
    "wait for one that was killed for one duration at most",
    () =>
      Effect.gen(function* () {
        const duration = 2_000
        const { one: holder, two: waiter } = yield* startTwo
        const name = `killed ${Date.now()}`
        yield* holder.ask("hold", { name, duration })
        const waiting = yield* Effect.fork(waiter.ask("hold", { name, duration }))
        // By now it has been renewed, and is waited for.
        yield* Effect.sleep(duration / 2)
        yield* holder.kill
        const [time] = yield* Effect.timed(Fiber.join(waiting))
        console.log(`granted ${Duration.toMillis(time).toFixed(0)} ms after the kill`)
        expect(Duration.toMillis(time)).toBeLessThan(duration + aBit)
      }),
    60_000
  )

  it.scopedLive(
    "are told that it is lost when they were paused, and their fence is refused by the row",
    () =>
      Effect.gen(function* () {
        const duration = 1_000
        const { one: sleeper, row, two: other } = yield* startTwo
        const name = `paused ${Date.now()}`
        const fence = yield* sleeper.ask("hold", { name, duration })
        yield* sleeper.pause
        const higher = yield* other.ask("hold", { name, duration })
        expect(BigInt(higher) > BigInt(fence)).toBe(true)
        expect(yield* other.ask("writeRow", { value: "the other's" })).toBe(1)
        yield* sleeper.resume
        expect(yield* Queue.take(sleeper.messages)).toBe("lost: Silent")
        expect(yield* sleeper.ask("writeRow", { value: "the sleeper's" })).toBe(0)
        expect(yield* row).toBe("the other's")
        // To let go of what is lost leaves the other's alone.
        yield* sleeper.ask("letGo")
        expect(yield* other.ask("writeRow", { value: "the other's" })).toBe(0)
        yield* other.ask("letGo")
        yield* sleeper.ask("hold", { name, duration })
        expect(yield* sleeper.ask("writeRow", { value: "the sleeper's, in its turn" })).toBe(1)
      }),
    60_000
  )
})
