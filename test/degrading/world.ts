/** A process over a server that a test takes away and gives back. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import {
  BackendError,
  Cache,
  type CacheBackend,
  type CacheEvent,
  MemoryBackend
} from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import { type Options, type Process, settleDown, startProcess } from "../protocol/world.js"

type Refusal = "Timeout" | "Unavailable" | "Refused" | "Late"

/** What becomes of every command, unless all is well. */
export type Trouble = Refusal | "Defect" | "Interruption" | undefined

/** A backend in the test's hand. */
export interface Faulty {
  readonly backend: CacheBackend
  trouble: Trouble
  /** How often its keys have been asked for: of this `sent` knows nothing. */
  listings: number
}

export const faulty = (inner: CacheBackend): Faulty => {
  const troubled = (command: string) => (): Effect.Effect<void, BackendError> => {
    const { trouble } = it
    if (trouble === undefined) return Effect.void
    if (trouble === "Defect") return Effect.die(new Error("the backend is broken"))
    if (trouble === "Interruption") return Effect.interrupt
    return Effect.fail(new BackendError({ backend: inner.name, command, reason: trouble }))
  }
  const may = <A>(command: string, effect: Effect.Effect<A, BackendError>) =>
    Effect.zipRight(Effect.suspend(troubled(command)), effect)
  const it: Faulty = {
    trouble: undefined,
    listings: 0,
    backend: {
      ...inner,
      getMany: (keys) => may("getMany", inner.getMany(keys)),
      lease: (key, request) => may("lease", inner.lease(key, request)),
      renew: (key, token, duration) => may("renew", inner.renew(key, token, duration)),
      commit: (key, token, stored, keepFor) =>
        may("commit", inner.commit(key, token, stored, keepFor)),
      release: (key, token) => may("release", inner.release(key, token)),
      set: (key, stored, keepFor) => may("set", inner.set(key, stored, keepFor)),
      invalidate: (key) => may("invalidate", inner.invalidate(key)),
      clear: (start) => may("clear", inner.clear(start)),
      holder: (key) => may("holder", inner.holder(key)),
      keys: (start) =>
        Stream.suspend(() => {
          it.listings++
          return Stream.concat(Stream.execute(troubled("keys")()), inner.keys(start))
        })
    }
  }
  return it
}

type Runs = Pick<Process, "run">

export interface Outage extends Process {
  readonly faulty: Faulty
  readonly counters: Effect.Effect<Effect.Effect.Success<typeof Cache.counters>>
  readonly health: Effect.Effect<Effect.Effect.Success<typeof Cache.health>>
  readonly circuit: Effect.Effect<string>
}

/** A process over a server in memory that may be in trouble. */
export const start = (options: Options = {}, server?: CacheBackend) =>
  Effect.gen(function* () {
    const it = faulty(server ?? (yield* MemoryBackend.make()))
    const connection = yield* ControlledBackend.make(it.backend)
    const process = yield* startProcess({ connect: Effect.succeed(connection) }, options)
    const health = process.run(Cache.health)
    const outage: Outage = {
      ...process,
      faulty: it,
      counters: process.run(Cache.counters),
      health,
      circuit: Effect.map(health, ({ circuit }) => circuit)
    }
    return outage
  })

/** So many lookups, of as many keys, one after the other. */
export const look = (process: Runs, times = 1, trouble?: Trouble, it?: Faulty) =>
  Effect.gen(function* () {
    if (it !== undefined) it.trouble = trouble
    for (let at = 0; at < times; at++) yield* process.run(Cache.get(`other ${at}`))
  })

/** Five commands without an answer. */
export const open = (process: Outage) =>
  Effect.zipRight(look(process, 5, "Unavailable", process.faulty), settleDown)

/** The server is back, and the probes find it so. */
export const recovered = (process: Outage) =>
  Effect.gen(function* () {
    process.faulty.trouble = undefined
    yield* TestClock.adjust("16 seconds")
    yield* settleDown
  })

/** The events since, once all that can go on has gone on. */
export const listen = (process: Runs) =>
  Effect.gen(function* () {
    const events: Array<CacheEvent> = []
    const hear = (event: CacheEvent) => Effect.sync(() => void events.push(event))
    yield* Effect.fork(process.run(Stream.runForEach(Cache.events, hear)))
    yield* settleDown
    return { told: Effect.as(settleDown, events) }
  })

export const keysOf = (process: Runs) =>
  Effect.map(process.run(Stream.runCollect(Cache.keys())), Chunk.toReadonlyArray)

/** What was sent after so many. */
export const sentAfter = (process: Process, count: number) =>
  Effect.map(process.sent, (sent) => sent.slice(count))

export const countSent = (process: Process) => Effect.map(process.sent, (sent) => sent.length)
