// The minute: several processes serve it, a product is invalidated, and a process that loads is
// killed.
import { FileSystem } from "@effect/platform"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Effect, Queue } from "effect"
import type { RedisServer } from "../../test/servers/redis.js"
import { startWorker, type Worker } from "../../test/servers/worker.js"
import { prepare } from "../stampede/database.js"
import { expiries, type Mark, type Query, type Samples } from "./samples.js"
import * as Scenario from "./scenario.js"
import type { Handlers, Message, Surroundings } from "./worker.js"

/** Who looks at it: is shown it now and then, and at its end. */
export interface View {
  readonly everyMillis: number
  readonly show: (samples: Samples) => Effect.Effect<void>
}

type Process = Worker<Handlers>

interface Seen {
  readonly queries: Array<Query & { readonly by: Process }>
  readonly served: Map<Process, number>
  readonly marks: Array<Mark>
  killed?: Process
}

const startProcesses = ({ url }: RedisServer) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const database = `${yield* fs.makeTempDirectoryScoped()}/reviews.db`
    yield* Effect.provide(prepare, SqliteClient.layer({ filename: database, disableWAL: true }))
    const surroundings: Surroundings = { url, prefix: `larder-demo-${process.pid}`, database }
    return yield* Effect.replicateEffect(
      startWorker<Handlers>(new URL("worker.ts", import.meta.url), {
        env: { LARDER_DEMO: JSON.stringify(surroundings) }
      }),
      Scenario.processes,
      { concurrency: "unbounded" }
    )
  })

/** Between those who live. */
const shareOut = (living: ReadonlyArray<Process>) =>
  Effect.forEach(living, (process, index) => process.ask("take", { index, of: living.length }))

/** Our cache's next one for the hottest product, as soon as there is one. */
const firstQuery = ({ queries }: Seen, since: number) =>
  Effect.suspend(() =>
    Effect.fromNullable(
      queries.find(
        ({ at, cache, product }) => cache === "ours" && product === Scenario.hottest && at >= since
      )
    )
  ).pipe(
    Effect.tapError(() => Effect.sleep("2 millis")),
    Effect.eventually
  )

/** Not the record itself: that goes on. */
const samplesOf = ({ marks, queries, served }: Seen, now: number): Omit<Samples, "isOver"> => ({
  now: Math.min(now, Scenario.seconds),
  requests: [...served.values()].reduce((sum, requests) => sum + requests, 0),
  queries: [...queries],
  marks: [...marks, ...expiries(queries, [1, 2], marks, 3 * Scenario.query)].toSorted(
    (a, b) => a.at - b.at
  )
})

export const minute = (redis: RedisServer, view: View) =>
  Effect.gen(function* () {
    const all = yield* startProcesses(redis)
    yield* shareOut(all)
    const seen: Seen = { queries: [], served: new Map(), marks: [] }

    const startsAt = Date.now() + 100
    const since = (clockMillis: number) => Scenario.trafficSeconds(clockMillis - startsAt)
    const now = Effect.sync(() => since(Date.now()))
    const until = (at: number) =>
      Effect.flatMap(now, (from) => Effect.sleep(Math.max(0, Scenario.millis(at - from))))

    const listen = (process: Process) =>
      Effect.map(Queue.take(process.messages), (told) => {
        const message = told as Message
        if (message.type === "served") return void seen.served.set(process, message.requests)
        const { at, cache, product } = message.query
        seen.queries.push({ cache, product, at: since(at), by: process })
      })

    const serve = (process: Process) =>
      Effect.catchIf(
        process.ask("serve", { startsAt }),
        () => process === seen.killed,
        () => Effect.void
      )

    const invalidate =
      all[0]?.ask("invalidate", { product: Scenario.hottest }) ?? Effect.dieMessage("no process")

    /** Of the product that nobody has now, whoever loads it: that takes until he is dead. */
    const killHolder = Effect.gen(function* () {
      const setGate = (processes: ReadonlyArray<Process>, isOpen: boolean) =>
        Effect.forEach(processes, (process) => process.ask("gate", { isOpen }))
      const from = yield* now
      yield* setGate(all, false)
      yield* invalidate
      const { by } = yield* firstQuery(seen, from)
      const at = yield* now
      seen.killed = by
      yield* by.kill
      seen.marks.push({ event: "kill", at: from, product: Scenario.hottest })
      const living = all.filter((process) => process !== by)
      yield* setGate(living, true)
      yield* shareOut(living)
      const next = yield* firstQuery(seen, at)
      seen.marks.push({ event: "takeover", at: next.at })
    })

    const events = Effect.gen(function* () {
      yield* until(Scenario.invalidationAt)
      seen.marks.push({ event: "invalidation", at: yield* now, product: Scenario.hottest })
      yield* invalidate
      yield* until(Scenario.killAt)
      yield* killHolder
      return yield* Effect.never
    })

    const show = (isOver: boolean) =>
      Effect.flatMap(now, (at) => view.show({ ...samplesOf(seen, at), isOver }))
    yield* Effect.forEach(all, (process) => Effect.forkScoped(Effect.forever(listen(process))))
    yield* Effect.forEach(all, serve, { concurrency: "unbounded" }).pipe(
      Effect.raceFirst(events),
      Effect.raceFirst(Effect.forever(Effect.delay(show(false), view.everyMillis)))
    )
    yield* show(true)
  }).pipe(Effect.scoped)
