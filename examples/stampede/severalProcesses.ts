// 4 processes × 500 requests for one product whose entry has just expired: a Redis with a ttl, as
// people write it, against a memory cache in each process, against a cache in Redis. Then a process
// that is loading is killed.
import { FileSystem } from "@effect/platform"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Console, Duration, Effect, Fiber, Queue, Schedule } from "effect"
import { startWorker, type Worker } from "../../test/servers/worker.js"
import { prepare } from "./database.js"
import type { RedisServer } from "../../test/servers/redis.js"
import type { NoRedis } from "./redis.js"
import { paint, report } from "./report.js"
import type { Crowd, Handlers, Surroundings } from "./worker.js"

const count = 4
const requests = 500
const queryMillis = 250
const leaseMillis = 2_000
const shortly = 200

type Process = Worker<Handlers>

const startProcesses = (url: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const database = `${yield* fs.makeTempDirectoryScoped()}/reviews.db`
    yield* Effect.provide(prepare, SqliteClient.layer({ filename: database, disableWAL: true }))
    const prefix = `larder-demo-${process.pid}`
    const surroundings: Surroundings = { url, prefix, database, leaseMillis }
    return yield* Effect.replicateEffect(
      startWorker<Handlers>(new URL("worker.ts", import.meta.url), {
        env: { LARDER_DEMO: JSON.stringify(surroundings) }
      }),
      count,
      { concurrency: "unbounded" }
    )
  })

/** The crowd comes to each of them. */
const everywhere = (all: ReadonlyArray<Process>, crowd: Partial<Crowd>) =>
  Effect.gen(function* () {
    const one: Crowd = {
      ...{ protection: "redis", product: 42, requests, ttlMillis: 60_000, queryMillis },
      ...crowd
    }
    const [time, crowds] = yield* Effect.timed(
      Effect.forEach(all, (process) => process.ask("crowd", one), { concurrency: "unbounded" })
    )
    const answers = new Set(crowds.flatMap(({ answers }) => answers))
    if (answers.size !== 1) return yield* Effect.dieMessage(`${answers.size} answers`)
    return {
      requests: all.length * one.requests,
      queries: crowds.reduce((sum, { queries }) => sum + queries, 0),
      millis: Math.round(Duration.toMillis(time))
    }
  })

const stampede = (all: ReadonlyArray<Process>, name: string, protection: Crowd["protection"]) =>
  Effect.gen(function* () {
    yield* everywhere(all, { protection, requests: 1, ttlMillis: shortly })
    yield* Effect.sleep(shortly + 100)
    return { name, ...(yield* everywhere(all, { protection })) }
  })

/** Returns when all the others wait for the one that loads. */
const untilWaiting = (all: ReadonlyArray<Process>, before: ReadonlyArray<number>) =>
  Effect.forEach(all, (process, index) =>
    Effect.repeat(process.ask("waits"), {
      until: (waits) => waits > (before[index] ?? 0),
      schedule: Schedule.spaced("10 millis")
    })
  )

const killWhoLoads = ([victim, ...others]: ReadonlyArray<Process>) =>
  Effect.gen(function* () {
    if (victim === undefined) return yield* Effect.dieMessage("nobody to be killed")
    const product = 43
    yield* victim.send("hold", { product })
    yield* Queue.take(victim.messages)
    const before = yield* Effect.forEach(others, (process) => process.ask("waits"))
    const served = yield* Effect.fork(everywhere(others, { product }))
    yield* untilWaiting(others, before)
    const [time, result] = yield* Effect.timed(Effect.zipRight(victim.kill, Fiber.join(served)))
    return { ...result, seconds: Duration.toSeconds(time).toFixed(1) }
  })

export const severalProcesses = (anyRedis: Effect.Effect<RedisServer, NoRedis>) =>
  Effect.gen(function* () {
    yield* Console.log(
      `The same in ${count} processes, with ${requests} requests each: first of a ttl in a Redis that\n` +
        "they share, then of a memory cache in each, then of a cache in that Redis.\n"
    )
    const { url } = yield* anyRedis
    const all = yield* startProcesses(url)
    const naive = yield* stampede(all, "Redis with a ttl", "none")
    const memory = yield* stampede(all, "MemoryCache in each", "memory")
    const redis = yield* stampede(all, "RedisCache", "redis")
    yield* Console.log(report([naive, memory, redis]))

    yield* Console.log(
      "\nAnother product: the process that loads it is killed (SIGKILL), while requests\n" +
        `in the others wait for it. A lease lasts ${leaseMillis / 1000} s here; who lives renews it.\n`
    )
    const { queries, requests: waiting, seconds } = yield* killWhoLoads(all)
    yield* Console.log(
      paint(1, `killed: ${waiting} requests served by ${queries} further query, ${seconds} s later`)
    )
  }).pipe(Effect.scoped)
