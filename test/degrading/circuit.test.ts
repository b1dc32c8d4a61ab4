/** What opens the circuit to a backend, and what goes on while it is not closed. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { BackendError, Cache, type CacheBackend, MemoryBackend } from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import * as Breaker from "../../src/core/breaker.js"
import * as Core from "../../src/core/cache.js"
import { underBreaker } from "../../src/core/degrade.js"
import { settings } from "../../src/core/settings.js"
import { Unfibered } from "../../src/port/unfibered.js"
import { crowd } from "../cache/world.js"
import { heldLoad, load, makeRow, settleDown } from "../protocol/world.js"
import { ofLevel, withLog } from "../redis/log.js"
import { countSent, faulty, keysOf, look, open, sentAfter, start } from "./world.js"

describe("the circuit to a backend", () => {
  for (const trouble of ["Timeout", "Unavailable", "Defect"] as const) {
    it.scoped(`is open after five commands in a row without an answer: ${trouble}`, () =>
      Effect.gen(function* () {
        const process = yield* start()
        yield* look(process, 4, trouble, process.faulty)
        expect(yield* process.circuit).toBe("closed")
        yield* look(process)
        expect(yield* process.circuit).toBe("open")
      })
    )
  }

  for (const answer of ["Refused", "Late", undefined] as const) {
    it.scoped(`counts anew after an answer: ${answer ?? "success"}`, () =>
      Effect.gen(function* () {
        const process = yield* start()
        yield* look(process, 4, "Timeout", process.faulty)
        yield* look(process, 1, answer, process.faulty)
        yield* look(process, 4, "Timeout", process.faulty)
        expect(yield* process.circuit).toBe("closed")
        yield* look(process)
        expect(yield* process.circuit).toBe("open")
      })
    )
  }

  it.scoped("is not opened by a server that refuses, however often", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* look(process, 20, "Refused", process.faulty)
      expect(yield* process.circuit).toBe("closed")
    })
  )

  it.scoped("learns nothing from a command that is interrupted", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* look(process, 4, "Timeout", process.faulty)
      // From within, as by a connection that is closed; and by the one who asked.
      process.faulty.trouble = "Interruption"
      yield* crowd(10, process.run(Cache.inspect("k")))
      yield* process.hold("invalidate")
      const write = yield* Effect.fork(process.run(Cache.invalidate("k")))
      yield* process.next("invalidate")
      yield* Fiber.interrupt(write)
      expect(yield* process.circuit).toBe("closed")
      yield* look(process, 1, "Timeout", process.faulty)
      expect(yield* process.circuit).toBe("open")
    })
  )

  it.scoped("counts what every command comes to, and a listing of keys", () =>
    Effect.gen(function* () {
      const process = yield* start()
      process.faulty.trouble = "Timeout"
      yield* process.run(Cache.inspect("k"))
      yield* keysOf(process)
      yield* keysOf(process)
      yield* keysOf(process)
      process.faulty.trouble = undefined
      yield* keysOf(process)
      process.faulty.trouble = "Timeout"
      yield* look(process, 4)
      expect(yield* process.circuit).toBe("closed")
      yield* keysOf(process)
      expect(yield* process.circuit).toBe("open")
    })
  )

  it.scoped("is open from the start if the backend says that nobody is there", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const status = { address: "nowhere", isReachable: false, reason: "no route" }
      const process = yield* start({}, { ...server, status: () => status })
      expect(yield* process.circuit).toBe("open")
      expect(yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))).toBe(1)
      expect(yield* process.sent).toEqual([])
    })
  )

  it.scoped("does not exist if it is not enabled: every lookup asks", () =>
    Effect.gen(function* () {
      const process = yield* start({ breaker: { enabled: false } })
      yield* look(process, 20, "Unavailable", process.faulty)
      expect(yield* process.circuit).toBe("closed")
      expect(yield* process.sent).toHaveLength(20)
      process.faulty.trouble = undefined
      yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))
      expect(yield* process.run(Cache.get("k"))).toEqual(Option.some(1))
    })
  )

  it.scoped(
    "is opened by what `isFailure` says speaks against it, under the name it is given",
    () =>
      withLog((lines) =>
        Effect.gen(function* () {
          const isFailure = (error: unknown) =>
            error instanceof BackendError && error.reason === "Refused"
          const process = yield* start({ name: "shop", breaker: { name: "redis 2", isFailure } })
          yield* look(process, 20, "Timeout", process.faulty)
          expect(yield* process.circuit).toBe("closed")
          yield* look(process, 5, "Refused", process.faulty)
          expect(yield* process.circuit).toBe("open")
          expect(ofLevel(lines, "ERROR")).toEqual([
            "Circuit breaker opened (failing fast) [ 'breaker', 'redis 2' ]"
          ])
        })
      )
  )

  it.scoped("counts as a failure what `isFailure` throws at, and nobody waits for ever", () =>
    Effect.gen(function* () {
      const isFailure = () => {
        throw new Error("a bug in isFailure")
      }
      const process = yield* start({ breaker: { isFailure } })
      yield* look(process, 5, "Refused", process.faulty)
      expect(yield* process.circuit).toBe("open")
      const sent = yield* countSent(process)
      yield* TestClock.adjust("16 seconds")
      yield* settleDown
      expect(yield* process.circuit).toBe("open")
      expect((yield* sentAfter(process, sent)).length).toBeLessThanOrEqual(2)
      process.faulty.trouble = undefined
      yield* TestClock.adjust("16 seconds")
      yield* settleDown
      expect(yield* process.circuit).toBe("closed")
    })
  )

  it.scoped("is made with settings that are right, or the layer is not", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const wrong = [
        { failureThreshold: 0 },
        { successThreshold: 1.5 },
        { openFor: -1 },
        { openFor: Infinity },
        { openFor: "25 days" }
      ] as const
      for (const breaker of wrong) {
        const exit = yield* Effect.exit(Layer.build(Cache.fromBackend(backend, { breaker })))
        expect(Exit.isFailure(exit) && String(exit.cause)).toContain(Object.keys(breaker)[0])
      }
    })
  )
})

describe("a backend that is an object of a class", () => {
  /** Its methods need it: they are no functions that stand alone. */
  class Server {
    private time = 0
    private isThere = false
    constructor(readonly inner: CacheBackend) {}
    status() {
      return { address: "class://", isReachable: this.isThere, reason: "no route" }
    }
    serverTime(monotonic: number) {
      if (this.time++ > 0) throw new Error("the clock is gone")
      return this.inner.serverTime(monotonic)
    }
  }

  it.scoped("says itself where it is, and whether anybody is there", () =>
    Effect.gen(function* () {
      const inner = yield* MemoryBackend.make()
      const server: CacheBackend = Object.assign(new Server(inner), {
        ...inner,
        status: Server.prototype.status,
        serverTime: Server.prototype.serverTime
      })
      const health = yield* Effect.provide(Cache.health, Cache.fromBackend(server))
      expect(health).toMatchObject({ circuit: "open", reachable: false })
      expect(health.address).toEqual(Option.some("class://"))
    })
  )

  it.scoped("and throws when it is asked for the time keeps nobody from the value", () =>
    Effect.gen(function* () {
      const inner = yield* MemoryBackend.make()
      const server = new Server(inner)
      const backend = { ...inner, serverTime: (monotonic: number) => server.serverTime(monotonic) }
      const process = yield* start({}, backend)
      const lookup = process.run(Cache.getOrCreate("k", Effect.succeed(1)))
      expect([yield* lookup, yield* lookup]).toEqual([1, 1])
      yield* process.run(Cache.set("k", 2))
      expect(yield* process.run(Cache.get("k"))).toEqual(Option.some(2))
    })
  )
})

describe("while the circuit is open", () => {
  it.scoped("nothing at all is sent, counted or logged as a fault", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const process = yield* start()
        yield* open(process)
        const { backendErrors } = yield* process.counters
        const warnings = ofLevel(lines, "WARN").length
        const sent = yield* countSent(process)

        expect(yield* process.run(Cache.get("k"))).toEqual(Option.none())
        expect(yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))).toBe(1)
        const again = Cache.getOrCreate("k", Effect.succeed(2), { refresh: true })
        expect(yield* process.run(again)).toBe(2)
        yield* process.run(Cache.set("k", 3))
        yield* process.run(Cache.set("k", 4))
        expect(yield* process.run(Cache.invalidate("k"))).toBe(false)
        yield* process.run(Cache.clear)
        yield* process.run(Cache.set("k", 5))
        expect(yield* keysOf(process)).toEqual([])
        expect(yield* process.run(Cache.inspect("k"))).toEqual(Option.none())
        yield* settleDown

        expect(yield* sentAfter(process, sent)).toEqual([])
        expect(process.faulty.listings).toBe(0)
        expect((yield* process.counters).backendErrors).toBe(backendErrors)
        expect(ofLevel(lines, "WARN")).toHaveLength(warnings)
      })
    )
  )

  it.scoped("each lookup is counted as bypassed", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* open(process)
      const before = yield* process.counters
      yield* process.run(Cache.get("k"))
      yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))
      yield* process.run(Cache.getOrCreate("k", Effect.succeed(1), { refresh: true }))
      yield* process.run(Cache.getOrCreate("k", Effect.succeed(1), { ttl: 0 }))
      const { bypassed, hits, misses, stale } = yield* process.counters
      expect(bypassed).toBe(before.bypassed + 4)
      expect([hits, misses, stale]).toEqual([before.hits, before.misses, before.stale])
    })
  )

  it.scoped("a lease that is held is neither renewed nor given back", () =>
    Effect.gen(function* () {
      const process = yield* start()
      const { begun, create, open: end } = yield* heldLoad(makeRow())
      const lookup = yield* Effect.fork(process.run(Cache.getOrCreate("k", create)))
      yield* begun
      yield* open(process)
      const sent = yield* countSent(process)
      yield* TestClock.adjust("10 seconds")
      yield* settleDown
      yield* end
      expect(yield* lookup).toBe(1)
      expect(yield* sentAfter(process, sent)).toEqual([])
    })
  )

  it.scoped("callers of one key share one run of its creator", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const process = yield* start()
      yield* open(process)
      const create = Effect.zipLeft(load(row), Effect.yieldNow())
      const exits = yield* crowd(500, process.run(Cache.getOrCreate("k", create)))
      expect(exits.every((exit) => Exit.isSuccess(exit) && exit.value === 1)).toBe(true)
      expect(row.reads).toBe(1)
    })
  )

  it.scoped("who comes after the creator began is given its value, too", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const process = yield* start()
      yield* open(process)
      const held = yield* heldLoad(row)
      const first = yield* Effect.fork(process.run(Cache.getOrCreate("k", held.create)))
      yield* held.begun
      const late = yield* Effect.fork(process.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      yield* held.open
      expect([yield* first, yield* late]).toEqual([1, 1])
      expect(row.reads).toBe(1)
    })
  )

  for (const [name, write] of [
    ["set", Cache.set("k", 0)],
    ["invalidate", Cache.invalidate("k")],
    ["clear", Cache.clear]
  ] as const) {
    it.scoped(`who comes after a write of this process is not: ${name}`, () =>
      Effect.gen(function* () {
        const row = makeRow()
        const process = yield* start()
        yield* open(process)
        const held = yield* heldLoad(row)
        const first = yield* Effect.fork(process.run(Cache.getOrCreate("k", held.create)))
        yield* held.begun
        row.value = 2
        yield* process.run(write)
        expect(yield* process.run(Cache.getOrCreate("k", load(row)))).toBe(2)
        yield* held.open
        expect(yield* first).toBe(1)
      })
    )
  }

  it.scoped("a failing creator fails those who wait for it, and nothing else happens", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* open(process)
      const exit = yield* Effect.exit(process.run(Cache.getOrCreate("k", Effect.fail("no row"))))
      expect(exit).toEqual(Exit.fail("no row"))
      expect((yield* process.counters).loadFailures).toBe(1)
    })
  )
})

// A flight that began while the circuit was closed may have read what another process has
// replaced since, with an invalidation that the server has acknowledged.
describe("the circuit opens while a creator is at work", () => {
  const opensDuringLoad = Effect.gen(function* () {
    const row = makeRow()
    const process = yield* start()
    const held = yield* heldLoad(row)
    const first = yield* Effect.fork(process.run(Cache.getOrCreate("k", held.create)))
    yield* held.begun
    return { row, process, first, ...held }
  })

  it.scoped("who came before it began is given its value, and nothing is stored", () =>
    Effect.gen(function* () {
      const it = yield* opensDuringLoad
      yield* open(it.process)
      const sent = yield* countSent(it.process)
      yield* it.open
      expect(yield* it.first).toBe(1)
      expect(yield* sentAfter(it.process, sent)).toEqual([])
    })
  )

  it.scoped("who came while it was closed is not given what began before", () =>
    Effect.gen(function* () {
      const it = yield* opensDuringLoad
      it.row.value = 2
      const late = yield* Effect.fork(it.process.run(Cache.getOrCreate("k", load(it.row))))
      yield* settleDown
      yield* open(it.process)
      yield* it.open
      expect([yield* it.first, yield* late]).toEqual([1, 2])
    })
  )

  it.scoped("who comes while it is open is not given what began while it was closed", () =>
    Effect.gen(function* () {
      const it = yield* opensDuringLoad
      it.row.value = 2
      yield* open(it.process)
      const late = yield* Effect.fork(it.process.run(Cache.getOrCreate("k", load(it.row))))
      yield* settleDown
      yield* it.open
      expect([yield* it.first, yield* late]).toEqual([1, 2])
    })
  )
})

describe("the circuit opens between two steps", () => {
  it.scoped("of a lookup: asked for, and not sent, it is bypassed, and no fault", () =>
    Effect.gen(function* () {
      const it = faulty(yield* MemoryBackend.make())
      const connection = yield* ControlledBackend.make(it.backend)
      let flush = (): void => {}
      const cache = yield* Core.make(
        { backend: connection.backend },
        settings({ beta: 0 }, { defer: (it) => (flush = it), breaker: { failureThreshold: 1 } })
      )
      const run = Effect.provideService(Cache, cache)
      const row = makeRow()
      const value = yield* Effect.fork(run(Cache.getOrCreate("k", load(row))))
      const none = yield* Effect.fork(run(Cache.get("k")))
      yield* settleDown
      it.trouble = "Timeout"
      yield* run(Cache.inspect("k"))
      expect(yield* connection.sent).toEqual(["getMany"])
      flush()
      expect([yield* value, yield* none]).toEqual([1, Option.none()])
      expect(yield* connection.sent).toEqual(["getMany"])
      expect(yield* run(Cache.counters)).toMatchObject({
        bypassed: 2,
        misses: 0,
        backendErrors: 0,
        loads: 1
      })
    })
  )

  // The commands of a set: what is pending for its key goes first.
  it.scoped("of a set: its value is not sent, and is pending once", () =>
    Effect.gen(function* () {
      const process = yield* start({ breaker: { failureThreshold: 2 } })
      yield* process.hold("invalidate")
      const first = yield* Effect.fork(process.run(Cache.invalidate("k")))
      yield* (yield* process.next("invalidate")).lose
      yield* first
      const set = yield* Effect.fork(process.run(Cache.set("k", 1)))
      const replay = yield* process.next("invalidate")
      yield* replay.lose
      yield* settleDown
      expect(yield* process.circuit).toBe("open")
      yield* TestClock.adjust("1 seconds")
      yield* process.release
      yield* Fiber.join(set)
      expect(yield* process.sent).not.toContain("set")
      expect((yield* process.health).pendingInvalidations).toBe(1)
    })
  )

  it.scoped("of a commit: it is refused here, and nobody is told of a fault", () =>
    Effect.gen(function* () {
      const it = faulty(yield* MemoryBackend.make())
      const connection = yield* ControlledBackend.make(it.backend)
      const breaker = yield* Breaker.make({ failureThreshold: 1 })
      const backend = underBreaker(connection.backend, breaker)
      yield* breaker.trip
      const exits = yield* Effect.forEach(
        [
          backend.getMany(["k"]),
          backend.lease("k", { token: "t", duration: 1, intent: "read", reject: undefined }),
          backend.renew("k", "t", 1),
          backend.commit("k", "t", "v", 1),
          backend.release("k", "t"),
          backend.set("k", "v", 1),
          backend.invalidate("k"),
          backend.clear("k"),
          backend.holder("k"),
          Stream.runDrain(backend.keys("k"))
        ],
        (command: Effect.Effect<unknown, BackendError>) => Effect.flip(command)
      )
      expect(exits.map(({ command, reason }) => [command, reason])).toEqual(
        [
          ...["getMany", "lease", "renew", "commit", "release"],
          ...["set", "invalidate", "clear", "holder", "keys"]
        ].map((command) => [command, "CircuitOpen"])
      )
      expect(yield* connection.sent).toEqual([])
    })
  )

  for (const [name, asked] of [
    ["a set", Cache.set("k", 1)],
    ["an invalidation", Cache.invalidate("k")],
    ["a clear", Cache.clear],
    ["a lookup that asks for the lease", Cache.getOrCreate("k", Effect.void, { refresh: true })]
  ] as const) {
    it.scoped(`of a backend that interrupts itself: nobody else is, in ${name}`, () =>
      Effect.gen(function* () {
        const process = yield* start()
        process.faulty.trouble = "Interruption"
        const exit = yield* Effect.exit(process.run(Effect.asVoid<unknown, never, Cache>(asked)))
        expect(exit).toEqual(Exit.void)
      })
    )
  }

  it.scoped("of a read that needs no fiber", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      let reply: Exit.Exit<ReadonlyArray<string>, BackendError> = Exit.succeed(["v"])
      let asked = 0
      const getMany = () =>
        new Unfibered<ReadonlyArray<string>, BackendError>((settle) => {
          asked++
          settle(reply)
        })
      const breaker = yield* Breaker.make({ failureThreshold: 2 })
      const backend = underBreaker({ ...server, getMany }, breaker)
      const read = backend.getMany(["k"])
      expect(read).toBeInstanceOf(Unfibered)
      const timeout = new BackendError({ backend: "memory", command: "getMany", reason: "Timeout" })
      reply = Exit.fail(timeout)
      expect(yield* Effect.flip(read)).toBe(timeout)
      reply = Exit.succeed(["v"])
      expect(yield* read).toEqual(["v"])
      reply = Exit.interrupt(FiberId.none)
      expect(Exit.isInterrupted(yield* Effect.exit(read))).toBe(true)
      reply = Exit.fail(timeout)
      yield* Effect.flip(read)
      expect(yield* breaker.state).toBe("closed")
      yield* Effect.flip(read)
      expect(yield* breaker.state).toBe("open")
      expect(yield* Effect.flip(read)).toMatchObject({ reason: "CircuitOpen" })
      expect(asked).toBe(5)
    })
  )

  it.scoped("of a backend that throws when it is called: a fault like others", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const thrown = new BackendError({ backend: "memory", command: "getMany", reason: "Timeout" })
      const getMany = () => {
        throw thrown
      }
      const process = yield* start({ breaker: { failureThreshold: 1 } }, { ...server, getMany })
      expect(yield* process.run(Cache.get("k"))).toEqual(Option.none())
      expect(yield* process.circuit).toBe("open")
    })
  )
})
