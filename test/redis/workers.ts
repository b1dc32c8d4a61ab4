/** Worker processes over a Redis of their own, for as long as a suite lasts. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import { type Address, command, type RedisServer, startRedis } from "../servers/redis.js"
import { startWorker, type Worker } from "../servers/worker.js"
import { asEnvironment, loadsKey, type ProcessSettings } from "./processes.js"
import type { Crowd, ProcessHandlers, Results } from "./processes.worker.js"

export type Process = Worker<ProcessHandlers>

const startProcess = (settings: ProcessSettings) =>
  startWorker<ProcessHandlers>(new URL("processes.worker.ts", import.meta.url), {
    env: asEnvironment(settings)
  })

const startProcesses = (count: number, settings: ProcessSettings) =>
  Effect.replicateEffect(startProcess(settings), count, { concurrency: "unbounded" })

/** A Redis, and eight processes over it. */
export class Eight extends Context.Tag("test/Eight")<
  Eight,
  { readonly redis: RedisServer; readonly prefix: string; readonly all: ReadonlyArray<Process> }
>() {
  static readonly layer = (settings: Omit<ProcessSettings, "url" | "prefix"> = {}) =>
    Layer.scoped(
      Eight,
      Effect.gen(function* () {
        const redis = yield* startRedis()
        const prefix = `eight-${process.pid}-${Date.now()}`
        const all = yield* startProcesses(8, { ...settings, url: redis.url, prefix })
        return { redis, prefix, all }
      })
    )
}

/** How often a creator of the key has begun, in all processes. */
export const loadsOf = (redis: Address, prefix: string, key: string) =>
  Effect.map(command(redis, "GET", loadsKey(prefix, key)), Number)

/** Returns when the process begins a load of that key: the number of the load. */
export const nextLoad = ({ messages }: Process, key: string) =>
  Effect.repeat(Effect.map(Queue.take(messages), asLoad), {
    until: (load): load is Load => load?.key === key
  }).pipe(Effect.map(({ load }) => load))

interface Load {
  readonly key: string
  readonly load: number
}

const asLoad = (message: unknown): Load | undefined =>
  typeof message === "object" && message !== null && "load" in message
    ? (message as Load)
    : undefined

/** One of the counters, of each process. */
export const counted = (
  all: ReadonlyArray<Process>,
  name: "waits" | "takeovers" | "fencedWrites" | "backendErrors" | "loads"
) =>
  Effect.forEach(all, (process) =>
    Effect.map(process.ask("counters"), (counters) => counters[name])
  )

/** How much one of the counters has grown in all of them since this was called. */
export const counting = (all: ReadonlyArray<Process>, name: Parameters<typeof counted>[1]) =>
  Effect.map(counted(all, name), (before) =>
    Effect.map(counted(all, name), (after) =>
      after.map((count, index) => count - (before[index] ?? 0))
    )
  )

/** Returns when each of them has come to wait for another process's lease since this was called. */
export const expectWaits = (all: ReadonlyArray<Process>) =>
  Effect.map(counting(all, "waits"), (growth) =>
    Effect.repeat(growth, {
      until: (waits) => waits.every((count) => count > 0),
      schedule: Schedule.spaced("10 millis")
    })
  )

/** The same crowd in every process, at once: what all of them got, together. */
export const crowdEverywhere = (all: ReadonlyArray<Process>, crowd: Crowd) =>
  Effect.map(
    Effect.forEach(
      all,
      (process, index) => process.ask("crowd", { ...crowd, seed: (crowd.seed ?? 0) + index }),
      { concurrency: "unbounded" }
    ),
    total
  )

const total = (results: ReadonlyArray<Results>): Results => {
  const sum: Record<string, number> = {}
  for (const each of results) {
    for (const [text, count] of Object.entries(each)) sum[text] = (sum[text] ?? 0) + count
  }
  return sum
}

/** An effect's value, and how many milliseconds it took. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([took, value]) => ({
    value,
    took: Math.round(Duration.toMillis(took))
  }))

export const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN
