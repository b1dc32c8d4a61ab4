/** Another backend in the place of one that is gone, or yet to come. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import {
  BackendError,
  Cache,
  CacheBackend,
  type FallbackOptions,
  MemoryBackend,
  NoopCache,
  SharedCache
} from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import * as Late from "../../src/core/late.js"
import { crowd } from "../cache/world.js"
import { heldLoad, load, makeRow, settleDown } from "../protocol/world.js"
import { ofLevel, withLog } from "../redis/log.js"
import { type Faulty, faulty, keysOf, listen } from "./world.js"

const pass = (by: number) => Effect.zipRight(TestClock.adjust(by), settleDown)

/** A process, as far as these tests need one. */
const processOf = (layer: Layer.Layer<Cache | SharedCache, unknown>, chance = 0) =>
  Effect.map(Effect.withRandom(Layer.build(layer), Random.fixed([chance])), (context) => {
    const run = Effect.provideService(Cache, Context.get(context, Cache))
    return { run, health: run(Cache.health), counters: run(Cache.counters), context }
  })

describe("a primary that cannot be built", () => {
  class Missing extends Data.TaggedError("Missing")<{ readonly message: string }> {}

  /** A layer that is built at the `nth` attempt, and what it has acquired and let go of. */
  const builtAt = (nth: number, backend: CacheBackend) => {
    const it = {
      attempts: 0,
      held: 0,
      failure: Effect.fail(new Missing({ message: "no server yet" }))
    }
    const failing: Effect.Effect<void, Missing> = Effect.suspend(() =>
      ++it.attempts < nth ? it.failure : Effect.void
    )
    const held = Effect.acquireRelease(
      Effect.sync(() => it.held++),
      () => Effect.sync(() => it.held--)
    )
    const layer = Layer.scoped(CacheBackend, Effect.as(Effect.zipRight(held, failing), backend))
    return Object.assign(it, { layer })
  }
  const recovery = Schedule.spaced("1 second")

  const start = (nth: number, options: FallbackOptions = {}, server?: CacheBackend) =>
    Effect.gen(function* () {
      const backend = server ?? (yield* MemoryBackend.make())
      const connection = yield* ControlledBackend.make(backend)
      const primary = builtAt(nth, connection.backend)
      const layer = Cache.withFallback(primary.layer, NoopCache.backend, {
        beta: 0,
        recovery,
        ...options
      })
      return { ...(yield* processOf(layer)), backend, connection, primary }
    })

  it.scoped("is gone without, built behind, and then taken over", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const row = makeRow()
        const process = yield* start(3)
        expect(ofLevel(lines, "WARN")).toEqual([
          "The cache goes on without its backend: no server yet"
        ])
        expect(yield* process.health).toMatchObject({
          healthy: false,
          reachable: false,
          circuit: "open",
          backend: "late",
          address: Option.some("an address not reached yet")
        })
        const lookup = process.run(Cache.getOrCreate("k", load(row)))
        yield* crowd(50, lookup)
        expect(row.reads).toBe(1)
        yield* process.run(Cache.set("s", 1))
        yield* pass(1_999)
        expect(process.primary).toMatchObject({ attempts: 2, held: 0 })
        yield* pass(1)
        expect(process.primary).toMatchObject({ attempts: 3, held: 1 })
        expect(yield* process.health).toMatchObject({ reachable: true, backend: "memory" })
        yield* pass(13_000)
        expect(yield* process.health).toMatchObject({ healthy: true, circuit: "closed" })
        expect(yield* process.connection.sent).toEqual(["invalidate", "getMany"])
        yield* lookup
        yield* lookup
        expect(row.reads).toBe(2)
        expect(yield* keysOf(process)).toEqual(["k"])
      })
    )
  )

  it.scoped("hears what others push once it is there", () =>
    Effect.gen(function* () {
      const process = yield* start(2)
      yield* pass(20_000)
      const other = yield* processOf(Cache.fromBackend(process.backend, { beta: 0 }))
      const held = yield* heldLoad(makeRow())
      const holder = yield* Effect.fork(other.run(Cache.getOrCreate("k", held.create)))
      yield* held.begun
      const waiter = yield* Effect.fork(process.run(Cache.getOrCreate("k", Effect.succeed(0))))
      yield* settleDown
      // No clock goes on: it is the push that wakes the waiter.
      yield* held.open
      yield* settleDown
      expect(yield* Effect.option(Effect.flatten(Fiber.poll(waiter)))).toEqual(
        Option.some(Exit.succeed(1))
      )
      yield* holder
    })
  )

  it.scoped("is not subscribed to if it does not push, and polled if it cannot be", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const server = yield* MemoryBackend.make()
        let asked = 0
        const subscribe = () => {
          asked++
          return new BackendError({ backend: "memory", command: "subscribe", reason: "Refused" })
        }
        const mute = { ...server, subscribe }
        yield* start(2, {}, { ...mute, capabilities: { ...server.capabilities, pushes: false } })
        yield* pass(2_000)
        expect(asked).toBe(0)
        const process = yield* start(2, {}, mute)
        yield* pass(20_000)
        expect(asked).toBe(1)
        expect(ofLevel(lines, "DEBUG").join()).toContain("Who waits for another process polls")
        expect(yield* process.health).toMatchObject({ healthy: true })
        const there = yield* start(1, {}, mute)
        expect((yield* there.health).lastError).toMatchObject({
          value: { message: "memory: subscribe failed (Refused)" }
        })
      })
    )
  )

  it.scoped("may turn out to be one that cannot clear: what is pending for all is let go", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const capabilities = { ...server.capabilities, scan: false }
      const process = yield* start(2, {}, { ...server, capabilities })
      yield* process.run(Cache.clear)
      expect(yield* process.health).toMatchObject({ pendingInvalidations: 1 })
      yield* pass(20_000)
      expect(yield* process.health).toMatchObject({ healthy: true, pendingInvalidations: 0 })
      expect(yield* process.connection.sent).not.toContain("clear")
    })
  )

  it.scoped("may turn out to be one that cannot clear: keys that were too many stay pending", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const capabilities = { ...server.capabilities, scan: false }
      const refused = new BackendError({ backend: "memory", command: "clear", reason: "Refused" })
      const clear = () => Effect.fail(refused)
      const process = yield* start(2, {}, { ...server, capabilities, clear })
      const keys = Array.from({ length: 10_001 }, (_, key) => Cache.invalidate(String(key)))
      yield* process.run(Effect.all(keys, { discard: true }))
      // One that is asked for does not stand for them.
      yield* process.run(Cache.clear)
      expect(yield* process.health).toMatchObject({ pendingInvalidations: 1 })
      yield* pass(60_000)
      expect(yield* process.health).toMatchObject({ healthy: false, pendingInvalidations: 1 })
      yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))
      expect(yield* process.run(Cache.get("k"))).toEqual(Option.none())
      const { reason } = yield* process.health
      expect(Option.getOrThrow(reason)).toContain("cannot clear them: start this program again.")
    })
  )

  it.scoped("is given up when the schedule ends, and the cache goes on", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const process = yield* start(100, { recovery: Schedule.recurs(2) })
        yield* pass(60_000)
        expect(process.primary).toMatchObject({ attempts: 3, held: 0 })
        expect(ofLevel(lines, "ERROR").join()).toContain("The backend of a cache is given up")
        expect(yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))).toBe(1)
        const { reason } = yield* process.health
        expect(Option.getOrThrow(reason)).toContain("no server yet")
        expect(Option.getOrThrow(reason)).toContain("given up: mend that, and start this program")
        expect(Option.getOrThrow(reason)).not.toContain("tried again")
      })
    )
  )

  it.scoped("says what its last attempt failed of", () =>
    Effect.gen(function* () {
      const process = yield* start(100)
      process.primary.failure = Effect.fail("no such host" as never)
      yield* pass(1_000)
      const { reason } = yield* process.health
      expect(Option.getOrThrow(reason)).toContain("no such host")
    })
  )

  it.scoped("is built again after a second, and then less often, unless it is said when", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const primary = builtAt(100, backend)
      yield* processOf(Cache.withFallback(primary.layer, NoopCache.backend))
      yield* pass(700)
      expect(primary.attempts).toBe(1)
      yield* pass(600)
      expect(primary.attempts).toBe(2)
      yield* pass(1_000_000)
      expect(primary.attempts).toBeGreaterThan(50)
    })
  )

  it.scoped("is built again by many processes not all at once, but some time about then", () =>
    Effect.gen(function* () {
      const attempts: Array<number> = []
      for (const chance of [0, 0.5, 1]) {
        const primary = builtAt(100, yield* MemoryBackend.make())
        yield* processOf(Cache.withFallback(primary.layer, NoopCache.backend), chance)
        const before = yield* Clock.currentTimeMillis
        while (primary.attempts === 1) yield* pass(100)
        attempts.push((yield* Clock.currentTimeMillis) - before)
      }
      expect(attempts).toEqual([800, 1_000, 1_200])
    })
  )

  it.scoped("is built again ten times a second at most, whatever the schedule says", () =>
    Effect.gen(function* () {
      const { primary } = yield* start(100, { recovery: Schedule.forever })
      yield* pass(1_000)
      expect(primary.attempts).toBe(11)
    })
  )

  it.effect("is a defect to be tried again by what is no schedule", () =>
    Effect.gen(function* () {
      const recovery = "5 seconds" as never
      const layer = Cache.withFallback(NoopCache.backend, NoopCache.backend, { recovery })
      const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain(
        'recovery is "5 seconds"; allowed: a schedule: Schedule.spaced("5 seconds")'
      )
    })
  )

  it.scoped("is not built any more, and leaves nothing, once the cache is closed", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      for (const nth of [1, 3, 100]) {
        const primary = builtAt(nth, backend)
        const layer = Cache.withFallback(primary.layer, NoopCache.backend, { recovery })
        yield* Effect.scoped(Effect.zipRight(processOf(layer), pass(5_000)))
        const { attempts } = primary
        expect(primary.held).toBe(0)
        yield* pass(60_000)
        expect(primary.attempts).toBe(attempts)
      }
    })
  )

  it.scoped("is closed after the cache, which gives back its leases first", () =>
    Effect.gen(function* () {
      const order: Array<string> = []
      const server = yield* MemoryBackend.make()
      const release: CacheBackend["release"] = (key, token) =>
        Effect.zipRight(
          Effect.sync(() => order.push("a lease is given back")),
          server.release(key, token)
        )
      let attempts = 0
      const connected = Effect.acquireRelease(Effect.succeed({ ...server, release }), () =>
        Effect.sync(() => order.push("the backend is closed"))
      )
      const primary = Layer.scoped(
        CacheBackend,
        Effect.suspend(() => (++attempts === 1 ? Effect.fail("no server yet") : connected))
      )
      const used = Effect.gen(function* () {
        const process = yield* processOf(Cache.withFallback(primary, NoopCache.backend))
        yield* pass(20_000)
        yield* Effect.fork(process.run(Cache.getOrCreate("k", Effect.never)))
        yield* settleDown
      })
      yield* Effect.scoped(used)
      expect(order).toEqual(["a lease is given back", "the backend is closed"])
    })
  )

  it.scoped("for a defect is the layer's own defect", () =>
    Effect.gen(function* () {
      const broken = Layer.effect(CacheBackend, Effect.die("a wrong setting"))
      const exit = yield* Effect.exit(processOf(Cache.withFallback(broken, NoopCache.backend)))
      expect(exit).toEqual(Exit.die("a wrong setting"))
    })
  )

  it.scoped("fails to build its fallback with what that fails with", () =>
    Effect.gen(function* () {
      const primary = Layer.effect(CacheBackend, MemoryBackend.make())
      const failing = Layer.effect(CacheBackend, Effect.fail("no room"))
      expect(yield* Effect.exit(processOf(Cache.withFallback(primary, failing)))).toEqual(
        Exit.fail("no room")
      )
    })
  )

  it.scoped("while it is absent, fails every command as one that finds no server", () =>
    Effect.gen(function* () {
      const process = yield* start(100, { breaker: { enabled: false } })
      const held = yield* heldLoad(makeRow())
      yield* held.open
      expect(yield* process.run(Cache.getOrCreate("k", held.create))).toBe(1)
      expect(yield* process.run(Cache.get("k"))).toEqual(Option.none())
      expect(yield* process.run(Cache.inspect("k"))).toEqual(Option.none())
      expect(yield* process.run(Cache.invalidate("k"))).toBe(false)
      yield* process.run(Cache.set("k", 1))
      yield* process.run(Cache.clear)
      expect(yield* keysOf(process)).toEqual([])
      expect((yield* process.counters).backendErrors).toBeGreaterThan(4)
      expect(yield* process.health).toMatchObject({ circuit: "closed", reachable: false })
    })
  )
})

describe("a backend that comes late", () => {
  const commandsOf = (
    backend: CacheBackend
  ): ReadonlyArray<Effect.Effect<unknown, BackendError>> => [
    backend.lease("p:k", { token: "t", duration: 1_000, intent: "read", reject: undefined }),
    backend.renew("p:k", "t", 1_000),
    backend.holder("p:k"),
    backend.commit("p:k", "t", "v", 1_000),
    backend.getMany(["p:k"]),
    backend.set("p:k", "w", 1_000),
    backend.release("p:k", "t"),
    Effect.map(Stream.runCollect(backend.keys("p:")), (keys) => [...keys]),
    backend.invalidate("p:k"),
    backend.clear("p:")
  ]

  it.scoped("has no server to find before it is there, and then does what it does", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make({ clockOffset: 5_000 })
      let attempts = 0
      const layer = Layer.effect(
        CacheBackend,
        Effect.suspend(() =>
          ++attempts < 2
            ? Effect.fail("not yet")
            : Effect.succeed({ ...server, groupOf: (key: string) => key.length })
        )
      )
      const backend = yield* Late.build(layer, Schedule.spaced("1 second"))
      for (const command of commandsOf(backend)) {
        expect(yield* Effect.flip(command)).toMatchObject({ reason: "Unavailable" })
      }
      expect([backend.name, backend.groupOf?.("abc"), backend.serverTime(1)]).toEqual([
        "late",
        undefined,
        1
      ])
      yield* pass(1_000)
      expect([backend.name, backend.groupOf?.("abc"), backend.serverTime(1)]).toEqual([
        "memory",
        3,
        5_001
      ])
      expect(yield* Effect.forEach(commandsOf(backend), (command) => command)).toEqual([
        { _tag: "Granted" },
        true,
        Option.some({ token: "t", remaining: 1_000 }),
        true,
        ["v"],
        undefined,
        false,
        ["p:k"],
        true,
        undefined
      ])
    })
  )

  it.scoped("is heard by who begins to listen when it is there, too", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      let attempts = 0
      const layer = Layer.effect(
        CacheBackend,
        Effect.suspend(() => (++attempts < 2 ? Effect.fail("not yet") : Effect.succeed(server)))
      )
      const backend = yield* Late.build(layer, Schedule.spaced("1 second"))
      const heard: Array<string> = []
      const listening = backend.subscribe("p", ({ _tag }) => void heard.push(_tag))
      yield* pass(1_000)
      // Asked for before, and begun after.
      yield* listening
      expect(heard).toEqual(["Subscribed"])
    })
  )
})

describe("a codec", () => {
  const codec = { encode: () => new Uint8Array(), decode: () => 0 } as never
  const textOnly = Effect.map(MemoryBackend.make(), (backend) => ({
    ...backend,
    name: "text",
    capabilities: { ...backend.capabilities, bytes: false }
  }))
  const text = Layer.effect(CacheBackend, textOnly)
  const bytes = Layer.effect(CacheBackend, MemoryBackend.make())

  it.scoped("has no place with a backend that keeps text alone, be it the fallback", () =>
    Effect.gen(function* () {
      for (const layer of [
        Cache.withFallback(text, bytes, { codec }),
        Cache.withFallback(bytes, text, { codec })
      ]) {
        const exit = yield* Effect.exit(processOf(layer))
        expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain(
          "the backend text keeps text alone"
        )
      }
      yield* processOf(Cache.withFallback(text, text))
    })
  )

  it.scoped("keeps one that comes late and keeps text alone from being used", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        let attempts = 0
        const late = Layer.effect(
          CacheBackend,
          Effect.suspend(() => (++attempts < 2 ? Effect.fail("not yet") : textOnly))
        )
        const options = { codec, recovery: Schedule.spaced("1 second") }
        const process = yield* processOf(Cache.withFallback(late, NoopCache.backend, options))
        yield* pass(60_000)
        expect(attempts).toBe(2)
        expect(ofLevel(lines, "ERROR").join()).toContain("keeps text alone")
        expect(yield* process.health).toMatchObject({ reachable: false, circuit: "open" })
      })
    )
  )
})

describe("a fallback that keeps entries", () => {
  const start = (
    options: FallbackOptions = {},
    change: (backend: CacheBackend) => CacheBackend = (backend) => backend
  ) =>
    Effect.gen(function* () {
      const primary: Faulty = faulty(yield* MemoryBackend.make())
      const fallback = yield* ControlledBackend.make(change(yield* MemoryBackend.make()))
      const layer = Cache.withFallback(
        Layer.succeed(CacheBackend, primary.backend),
        Layer.succeed(CacheBackend, fallback.backend),
        { beta: 0, name: "shop", ...options }
      )
      yield* Effect.addFinalizer(() => fallback.release)
      return { ...(yield* processOf(layer)), primary, fallback }
    })
  type Started = Effect.Effect.Success<ReturnType<typeof start>>

  const fails = ({ primary, run }: Started) =>
    Effect.gen(function* () {
      primary.trouble = "Unavailable"
      yield* Effect.repeatN(run(Cache.inspect("other")), 4)
      yield* settleDown
    })
  const recovers = ({ primary }: Started) =>
    Effect.suspend(() => {
      primary.trouble = undefined
      return pass(15_000)
    })
  const get = ({ run }: Started, key: string) =>
    Effect.map(run(Cache.get(key)), Option.getOrUndefined)

  it.scoped("is asked nothing while the first is in order", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))
      yield* process.run(Cache.set("k", 2))
      yield* process.run(Cache.invalidate("k"))
      yield* process.run(Cache.clear)
      expect(yield* process.fallback.sent).toEqual([])
    })
  )

  it.scoped("is named by the health of the cache while it is used", () =>
    Effect.gen(function* () {
      const process = yield* start()
      expect((yield* process.health).reason).toEqual(Option.none())
      yield* fails(process)
      const { reason } = yield* process.health
      expect(Option.getOrThrow(reason)).toMatch(
        /^The circuit to memory is open: .* is kept in memory/
      )
      yield* recovers(process)
      expect((yield* process.health).reason).toEqual(Option.none())
    })
  )

  it.scoped("serves during an outage what was built in it, and sees what is written in it", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const process = yield* start()
      yield* fails(process)
      const lookup = process.run(Cache.getOrCreate("k", load(row)))
      expect([yield* lookup, yield* lookup]).toEqual([1, 1])
      expect(row.reads).toBe(1)
      expect(yield* keysOf(process)).toEqual(["k"])
      expect(yield* process.run(Cache.inspect("k"))).toMatchObject({ _tag: "Some" })
      expect(yield* process.run(Cache.stats)).toMatchObject({ size: 1, keys: ["k"], loads: 1 })
      yield* process.run(Cache.set("k", 5))
      expect(yield* get(process, "k")).toBe(5)
      expect(yield* process.run(Cache.invalidate("k"))).toBe(false)
      expect(yield* get(process, "k")).toBe(undefined)
      yield* process.run(Cache.set("k", 6))
      yield* process.run(Cache.clear)
      expect(yield* get(process, "k")).toBe(undefined)
      expect((yield* process.health).pendingInvalidations).toBeGreaterThan(0)
    })
  )

  it.scoped("is emptied after it: nothing of one outage is served in the next", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* fails(process)
      yield* process.run(Cache.set("k", "of the first outage"))
      yield* recovers(process)
      expect(yield* process.health).toMatchObject({ healthy: true })
      expect(yield* get(process, "k")).toBe(undefined)
      yield* process.run(Cache.set("k", "of the time between"))
      yield* fails(process)
      expect(yield* get(process, "k")).toBe(undefined)
      yield* process.run(Cache.set("k", "of the second"))
      expect(yield* get(process, "k")).toBe("of the second")
    })
  )

  it.scoped("is not used in the next outage before it has been emptied", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* fails(process)
      yield* process.run(Cache.set("k", "of the first outage"))
      yield* process.fallback.hold("clear")
      yield* recovers(process)
      const clear = yield* process.fallback.next("clear")
      yield* fails(process)
      expect(yield* get(process, "k")).toBe(undefined)
      yield* process.run(Cache.set("k", "of the second"))
      expect(yield* get(process, "k")).toBe(undefined)
      yield* clear.pass
      yield* settleDown
      yield* process.run(Cache.set("k", "after it was emptied"))
      expect(yield* get(process, "k")).toBe("after it was emptied")
    })
  )

  // The emptying after the second outage has gone past a key │ the third puts it there │ it is
  // invalidated, and the fallback, which is being emptied, does not hear │ the second's ends.
  it.scoped("is not used before the last emptying has ended, whichever ends before", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* process.fallback.hold("clear")
      const [afterFirst, afterSecond] = yield* Effect.replicateEffect(
        Effect.gen(function* () {
          yield* fails(process)
          yield* recovers(process)
          return yield* process.fallback.next("clear")
        }),
        2
      )
      yield* afterSecond!.execute
      yield* afterFirst!.pass
      yield* settleDown
      yield* fails(process)
      yield* process.run(Cache.set("k", "of the third outage"))
      yield* recovers(process)
      yield* process.run(Cache.invalidate("k"))
      expect((yield* process.health).pendingInvalidations).toBe(0)
      yield* process.fallback.next("clear")
      yield* afterSecond!.reply
      yield* settleDown
      yield* fails(process)
      expect(yield* get(process, "k")).toBe(undefined)
      yield* process.fallback.release
    })
  )

  for (const [name, change] of [
    [
      "cannot be",
      (backend) => ({ ...backend, capabilities: { ...backend.capabilities, scan: false } })
    ],
    [
      "fails to be",
      (backend) => ({
        ...backend,
        clear: () => new BackendError({ backend: "memory", command: "clear", reason: "Refused" })
      })
    ]
  ] satisfies ReadonlyArray<readonly [string, (backend: CacheBackend) => CacheBackend]>) {
    it.scoped(`is used for one outage alone if it ${name} emptied`, () =>
      Effect.gen(function* () {
        const process = yield* start({}, change)
        yield* fails(process)
        yield* process.run(Cache.set("k", 1))
        expect(yield* get(process, "k")).toBe(1)
        yield* recovers(process)
        yield* fails(process)
        expect(yield* get(process, "k")).toBe(undefined)
      })
    )
  }

  // In the outage: a creator is at work. After it: the fallback is emptied, the row is
  // replaced, here or elsewhere. What the creator has made would be there in the next outage.
  it.scoped("keeps nothing of a creator that outlasts the outage", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const process = yield* start()
      yield* fails(process)
      const held = yield* heldLoad(row)
      const first = yield* Effect.fork(process.run(Cache.getOrCreate("k", held.create)))
      yield* held.begun
      yield* recovers(process)
      row.value = 2
      yield* process.run(Cache.invalidate("k"))
      yield* held.open
      expect(yield* first).toBe(1)
      yield* fails(process)
      expect(yield* process.run(Cache.getOrCreate("k", load(row)))).toBe(2)
    })
  )

  // Its read has missed, and it has yet to ask for the lease, when the outage is over and all
  // has been removed: what it then builds is built from a row that is about to be replaced.
  it.scoped("keeps nothing of a lookup that goes on after the outage", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const process = yield* start()
      yield* fails(process)
      yield* process.fallback.hold("getMany")
      const first = yield* Effect.fork(process.run(Cache.getOrCreate("k", load(row))))
      const read = yield* process.fallback.next("getMany")
      yield* recovers(process)
      yield* read.pass
      expect(yield* first).toBe(1)
      row.value = 2
      yield* process.run(Cache.invalidate("k"))
      yield* fails(process)
      yield* process.fallback.release
      expect(yield* process.run(Cache.getOrCreate("k", load(row)))).toBe(2)
    })
  )

  it.scoped("hears of a write that was interrupted, too", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* fails(process)
      yield* process.run(Cache.set("k", "old"))
      const write = process.run(Cache.invalidate("k"))
      yield* Effect.exit(Effect.zipRight(Effect.interruptible(write), Effect.interrupt))
      yield* process.fallback.hold("invalidate")
      const interrupted = yield* Effect.fork(process.run(Cache.invalidate("k")))
      const sent = yield* process.fallback.next("invalidate")
      const interrupting = yield* Effect.fork(Fiber.interrupt(interrupted))
      yield* sent.pass
      yield* interrupting
      expect(yield* get(process, "k")).toBe(undefined)
    })
  )

  it.scoped("has its counts and its events added, and no circuit of its own", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const process = yield* start()
        const { told } = yield* listen(process)
        const lookup = process.run(Cache.getOrCreate("k", Effect.succeed(1)))
        yield* lookup
        yield* lookup
        yield* fails(process)
        yield* lookup
        yield* lookup
        yield* process.fallback.hold("invalidate")
        const write = yield* Effect.fork(process.run(Cache.invalidate("k")))
        yield* (yield* process.fallback.next("invalidate")).lose
        yield* write
        expect(yield* process.counters).toMatchObject({ hits: 2, misses: 2, loads: 2 })
        const pending = (yield* told).filter(({ _tag }) => _tag === "invalidationPending")
        expect(pending).toHaveLength(2)
        const opened = lines.filter(({ text }) => text.includes("Circuit breaker opened"))
        expect(opened).toHaveLength(1)
      })
    )
  )

  it.scoped("is left out where there is no circuit that could open", () =>
    Effect.gen(function* () {
      const process = yield* start({ breaker: { enabled: false } })
      yield* fails(process)
      yield* process.run(Cache.set("k", 1))
      expect(yield* process.fallback.sent).toEqual([])
      expect(yield* process.run(Stream.runCount(Cache.keys()))).toBe(0)
    })
  )
})
