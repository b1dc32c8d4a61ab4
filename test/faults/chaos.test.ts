import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { Cache, type CacheBackend, MemoryBackend } from "effect-larder"
import { ChaosBackend } from "effect-larder/testing"
import * as Core from "../../src/core/cache.js"
import { settings } from "../../src/core/settings.js"
import { Simulation } from "../protocol/simulation.js"

const key = "p:key"

/** A server that has an entry, and the same with things going wrong. */
const startWorld = (options: ChaosBackend.ChaosOptions) =>
  Effect.gen(function* () {
    const inner = yield* MemoryBackend.make()
    yield* inner.set(key, "stored", Infinity)
    const chaos = yield* ChaosBackend.make(inner, {
      longestDelay: "100 millis",
      longestHang: "1 second",
      ...options
    })
    const isThere = Effect.map(inner.getMany([key]), ([found]) => found !== undefined)
    return { chaos, inner, isThere, invalidate: chaos.backend.invalidate(key) }
  })

const withReason = (reason: string) => expect.objectContaining({ _tag: "BackendError", reason })

describe("a backend in chaos", () => {
  it.scoped("fails for one of the reasons given, and does nothing", () =>
    Effect.gen(function* () {
      const { invalidate, isThere } = yield* startWorld({ failures: 1, reasons: ["Refused"] })
      expect(yield* Effect.flip(invalidate)).toMatchObject({
        backend: "memory",
        command: "invalidate",
        reason: "Refused"
      })
      expect(yield* isThere).toBe(true)
    })
  )

  it.scoped("fails for each of the reasons in its time", () =>
    Effect.gen(function* () {
      const { invalidate } = yield* startWorld({ failures: 1 })
      const errors = yield* Effect.replicateEffect(Effect.flip(invalidate), 50)
      expect(new Set(errors.map(({ reason }) => reason))).toEqual(
        new Set(["Timeout", "Unavailable", "Refused"])
      )
    })
  )

  it.scoped("loses the reply of what it has executed", () =>
    Effect.gen(function* () {
      const { invalidate, isThere } = yield* startWorld({ lostReplies: 1 })
      expect(yield* Effect.flip(invalidate)).toEqual(withReason("Timeout"))
      expect(yield* isThere).toBe(false)
    })
  )

  it.scoped("executes a command after it has failed", () =>
    Effect.gen(function* () {
      const { invalidate, isThere } = yield* startWorld({ lateExecutions: 1 })
      expect(yield* Effect.flip(invalidate)).toEqual(withReason("Timeout"))
      expect(yield* isThere).toBe(true)
      yield* TestClock.adjust("100 millis")
      expect(yield* isThere).toBe(false)
    })
  )

  it.scoped("never executes a set after it has failed", () =>
    Effect.gen(function* () {
      const { chaos, inner } = yield* startWorld({ lateExecutions: 1 })
      const set = chaos.backend.set("p:other", "late", Infinity)
      expect(yield* Effect.flip(set)).toEqual(withReason("Late"))
      yield* TestClock.adjust("1 minute")
      expect(yield* inner.getMany(["p:other"])).toEqual([undefined])
    })
  )

  it.effect("executes nothing any more when its scope has closed", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { invalidate, isThere } = yield* Scope.extend(startWorld({ lateExecutions: 1 }), scope)
      yield* Effect.flip(invalidate)
      yield* Scope.close(scope, Exit.void)
      yield* TestClock.adjust("1 minute")
      expect(yield* isThere).toBe(true)
    })
  )

  it.scoped("is late, both in doing and in answering", () =>
    Effect.gen(function* () {
      const { invalidate, isThere } = yield* startWorld({ delays: 1 })
      const asked = yield* Effect.fork(invalidate)
      yield* Effect.yieldNow()
      expect(yield* isThere).toBe(true)
      const steps: Array<string> = []
      while (asked.unsafePoll() === null) {
        yield* TestClock.adjust("1 millis")
        if (asked.unsafePoll() === null) steps.push((yield* isThere) ? "under way" : "executed")
      }
      expect(new Set(steps)).toEqual(new Set(["under way", "executed"]))
      expect(steps.length).toBeLessThan(100)
      expect(yield* Fiber.join(asked)).toBe(true)
    }).pipe(Effect.withRandom(Random.make("both last long enough to be seen")))
  )

  it.scoped("hangs until its bound, and no longer", () =>
    Effect.gen(function* () {
      const { invalidate, isThere } = yield* startWorld({ hangs: 1 })
      const asked = yield* Effect.fork(Effect.flip(invalidate))
      yield* TestClock.adjust("999 millis")
      expect(asked.unsafePoll()).toBe(null)
      yield* TestClock.adjust("1 millis")
      expect(yield* Fiber.join(asked)).toEqual(withReason("Timeout"))
      expect(yield* isThere).toBe(true)
    })
  )

  it.scoped("throws, and does nothing", () =>
    Effect.gen(function* () {
      const { invalidate, isThere } = yield* startWorld({ throws: 1 })
      const cause = yield* Effect.flip(Effect.sandbox(invalidate))
      expect(Cause.isDie(cause) && Cause.pretty(cause)).toContain("invalidate throws")
      expect(yield* isThere).toBe(true)
    })
  )

  it.scoped("does to each command what it is told for that one", () =>
    Effect.gen(function* () {
      const { chaos, invalidate } = yield* startWorld({
        failures: 1,
        commands: { invalidate: {}, keys: { hangs: 0.5, throws: 0.5 } }
      })
      const { backend } = chaos
      expect(yield* invalidate).toBe(true)
      for (const command of [
        backend.getMany([key]),
        backend.lease(key, { token: "t", duration: 1, intent: "read" }),
        backend.renew(key, "t", 1),
        backend.commit(key, "t", "stored", 1),
        backend.release(key, "t"),
        backend.set(key, "stored", 1),
        backend.clear("p:"),
        backend.holder(key)
      ]) {
        expect(yield* Effect.isFailure(command)).toBe(true)
      }
      const listed = yield* Effect.fork(Effect.exit(Stream.runCollect(backend.keys("p:"))))
      yield* TestClock.adjust("1 second")
      expect(Exit.isFailure(yield* Fiber.join(listed))).toBe(true)
    })
  )

  it.scoped.each([
    ["lost", { lostPushes: 1 }, 0, 0],
    ["duplicated", { duplicatedPushes: 1 }, 2, 2],
    ["delayed", { delayedPushes: 1 }, 0, 1],
    ["left alone", {}, 1, 1]
  ] as const)("pushes are %s", ([, options, atOnce, inTime]) =>
    Effect.gen(function* () {
      const { chaos, invalidate } = yield* startWorld(options)
      const heard: Array<string> = []
      yield* chaos.backend.subscribe("p", ({ _tag }) => void heard.push(_tag))
      expect(heard).toEqual(["Subscribed"])
      yield* invalidate
      yield* Effect.yieldNow()
      expect(heard.slice(1)).toEqual(Array(atOnce).fill("Push"))
      yield* TestClock.adjust("100 millis")
      expect(heard.slice(1)).toEqual(Array(inTime).fill("Push"))
    })
  )

  it.scoped("delayed pushes do not come when the subscription has ended", () =>
    Effect.gen(function* () {
      const { chaos, invalidate } = yield* startWorld({ delayedPushes: 1 })
      const heard: Array<string> = []
      yield* Effect.scoped(
        Effect.zipRight(
          chaos.backend.subscribe("p", ({ _tag }) => void heard.push(_tag)),
          invalidate
        )
      )
      yield* TestClock.adjust("1 minute")
      expect(heard).toEqual(["Subscribed"])
    })
  )

  it.scoped("is calmed and stirred up again, and counts what it has done", () =>
    Effect.gen(function* () {
      const { chaos, invalidate } = yield* startWorld({ failures: 1 })
      const outcome = Effect.isSuccess(invalidate)
      expect(yield* outcome).toBe(false)
      yield* chaos.calm
      expect(yield* outcome).toBe(true)
      yield* chaos.storm
      expect(yield* outcome).toBe(false)
      expect(yield* chaos.counts).toMatchObject({ failures: 2, hangs: 0, unharmed: 1 })
    })
  )

  it.scoped("does the same again by the same seed, each fault about as often as it was told", () =>
    Effect.gen(function* () {
      const outcomes = (seed: string) =>
        Effect.gen(function* () {
          const { chaos, invalidate } = yield* startWorld({ failures: 0.3, throws: 0.1 })
          const exits = yield* Effect.replicateEffect(Effect.exit(invalidate), 1_000)
          return { exits: exits.map(String), counts: yield* chaos.counts }
        }).pipe(Effect.withRandom(Random.make(seed)))
      const [one, again, other] = yield* Effect.all(["a", "a", "b"].map(outcomes))
      expect(again).toEqual(one)
      expect(other!.exits).not.toEqual(one!.exits)
      const { failures, throws, unharmed } = one!.counts
      expect([failures, throws, unharmed].map((count) => Math.round(count / 100))).toEqual([
        3, 1, 6
      ])
    })
  )

  it.scoped.each<ChaosBackend.ChaosOptions>([
    { failures: 0.6, hangs: 0.5 },
    { delays: -0.1 },
    { lostPushes: NaN },
    { commands: { set: { throws: 2 } } }
  ])("refuses rates that are none: %o", (options) =>
    Effect.gen(function* () {
      const cause = yield* Effect.flip(Effect.sandbox(startWorld(options)))
      expect(Cause.pretty(cause)).toContain("allowed: from 0 to 1, and 1 together")
    })
  )
})

const everything: ChaosBackend.ChaosOptions = {
  failures: 0.1,
  lostReplies: 0.05,
  lateExecutions: 0.05,
  delays: 0.2,
  hangs: 0.01,
  throws: 0.05,
  lostPushes: 0.3,
  duplicatedPushes: 0.2,
  delayedPushes: 0.2,
  longestDelay: "30 millis",
  longestHang: "200 millis"
}

interface Row {
  version: number
  /** What reads must reach that begin now, in the process that writes. */
  floor: number
}

/** So many steps of a caller, as chance has it. */
const wander = (rows: ReadonlyArray<Row>, isWriter: boolean, steps: number) =>
  Effect.replicateEffect(
    Effect.gen(function* () {
      const number = yield* Random.nextIntBetween(0, rows.length)
      const [row, key] = [rows[number]!, `row ${number}`]
      const floor = isWriter ? row.floor : 0
      const creatorTime = yield* Random.nextIntBetween(0, 20)
      const create = Effect.zipLeft(
        Effect.sync(() => row.version),
        Effect.sleep(creatorTime)
      )
      const found = yield* (yield* Random.next) < 0.8
        ? Effect.asSome(Cache.getOrCreate(key, create))
        : Cache.get(key)
      if (Option.isSome(found)) expect(found.value).toBeGreaterThanOrEqual(floor)
    }),
    steps,
    { discard: true }
  )

/** The only one who writes the row. */
const write = (row: Row, key: string, times: number) =>
  Effect.replicateEffect(
    Effect.gen(function* () {
      yield* Effect.sleep(yield* Random.nextIntBetween(0, 10))
      const version = ++row.version
      const chance = yield* Random.next
      if (chance < 0.5) yield* Cache.invalidate(key)
      else if (chance < 0.95) yield* Cache.set(key, version)
      else yield* Cache.clear
      row.floor = version
    }),
    times,
    { discard: true }
  )

/** As good as a process, in the simulation's time. */
const startProcess = (simulation: Simulation, inner: CacheBackend) =>
  Effect.gen(function* () {
    const chaos = yield* ChaosBackend.make(inner, everything)
    const { defer } = simulation
    const cache = yield* Core.make({ backend: chaos.backend }, settings({ beta: 0 }, { defer }))
    return { ...chaos, run: Effect.provideService(Cache, cache) }
  })

describe("a cache over a backend in chaos", () => {
  it.each([1, 2, 3, 4, 5])(
    "harms no caller, gives no process what is older than its own last write, and recovers (seed %i)",
    (seed) => {
      const simulation = new Simulation(seed)
      const inner = simulation.run(MemoryBackend.make())
      const here = simulation.run(startProcess(simulation, inner))
      const there = simulation.run(startProcess(simulation, inner))
      const rows = Array.from({ length: 10 }, (): Row => ({ version: 0, floor: 0 }))

      const callers = Array.from({ length: 20 }, (_, n) =>
        n % 2 === 0 ? here.run(wander(rows, true, 100)) : there.run(wander(rows, false, 100))
      )
      const writers = rows.map((row, n) => here.run(write(row, `row ${n}`, 100)))
      const storm = simulation.fork(
        Effect.all([...callers, ...writers], { concurrency: "unbounded", discard: true })
      )
      while (storm.unsafePoll() === null) simulation.advance(100)
      expect(storm.unsafePoll()).toEqual(Exit.void)
      for (const [name, count] of Object.entries(simulation.run(here.counts))) {
        expect(count, name).toBeGreaterThan(0)
      }

      simulation.run(Effect.zipRight(here.calm, there.calm))
      // What is under way still comes, and what is pending is replayed.
      simulation.advance(60_000)
      const { pendingInvalidations } = simulation.run(here.run(Cache.health))
      expect(pendingInvalidations).toBe(0)
      rows.forEach(({ version }, n) => {
        simulation.run(here.run(Cache.set(`row ${n}`, version)))
        const found = simulation.run(there.run(Cache.get(`row ${n}`)))
        expect(found).toEqual(Option.some(version))
      })
      simulation.close()
    }
  )
})
