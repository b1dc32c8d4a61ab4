/** How a cache finds out that its backend is back, and what it does first. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { BackendError, Cache, MemoryBackend } from "effect-larder"
import { crowd } from "../cache/world.js"
import { heldLoad, load, makeRow, settleDown, startProcess } from "../protocol/world.js"
import { withLog } from "../redis/log.js"
import { countSent, listen, look, open, recovered, sentAfter, start } from "./world.js"

/** Without the chance in when a probe is sent. */
const atOnce = Effect.withRandom(Random.fixed([0]))

const pass = (by: number) => Effect.zipRight(TestClock.adjust(by), settleDown)

/** One of several nodes is gone, with the keys that begin so. */
const withNodeGone = Effect.map(MemoryBackend.make(), (server) => {
  const gone = new BackendError({ backend: "memory", command: "any", reason: "Unavailable" })
  const isGone = (key: string) => key.startsWith("larder:gone")
  return {
    ...server,
    invalidate: (key: string) => (isGone(key) ? Effect.fail(gone) : server.invalidate(key))
  }
})

describe("a probe", () => {
  it.scoped("is sent after openFor and not before, and two that are answered close it", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      process.faulty.trouble = undefined
      const sent = yield* countSent(process)
      yield* pass(14_999)
      expect(yield* sentAfter(process, sent)).toEqual([])
      expect(yield* process.circuit).toBe("open")
      yield* pass(1)
      expect(yield* sentAfter(process, sent)).toEqual(["getMany", "getMany"])
      expect(yield* process.circuit).toBe("closed")
    })
  )

  it.scoped("is sent up to 5 % later, so that not all processes ask at once", () =>
    Effect.gen(function* () {
      const process = yield* Effect.withRandom(start(), Random.fixed([1]))
      yield* open(process)
      const sent = yield* countSent(process)
      yield* pass(15_749)
      expect(yield* sentAfter(process, sent)).toEqual([])
      yield* pass(1)
      expect(yield* sentAfter(process, sent)).toEqual(["getMany"])
    })
  )

  it.scoped("that fails opens the circuit again, for as long as before", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      const sent = yield* countSent(process)
      for (const round of [1, 2, 3]) {
        yield* pass(14_999)
        expect(yield* sentAfter(process, sent)).toHaveLength(round - 1)
        yield* pass(1)
        expect(yield* sentAfter(process, sent)).toHaveLength(round)
        expect(yield* process.circuit).toBe("open")
      }
    })
  )

  it.scoped("that fails opens it for the next delay of a schedule", () =>
    Effect.gen(function* () {
      const openFor = Schedule.exponential("1 second")
      const process = yield* atOnce(start({ breaker: { openFor } }))
      yield* open(process)
      const sent = yield* countSent(process)
      let probes = 0
      for (const seconds of [1, 2, 4, 8]) {
        yield* pass(seconds * 1_000 - 1)
        expect(yield* sentAfter(process, sent)).toHaveLength(probes)
        yield* pass(1)
        expect(yield* sentAfter(process, sent)).toHaveLength(++probes)
      }
    })
  )

  for (const trouble of ["Timeout", "Defect", "Interruption"] as const) {
    it.scoped(`without an answer is followed by none before openFor: ${trouble}`, () =>
      Effect.gen(function* () {
        const process = yield* atOnce(start())
        yield* open(process)
        process.faulty.trouble = trouble
        const sent = yield* countSent(process)
        yield* pass(29_999)
        expect(yield* sentAfter(process, sent)).toEqual(["getMany"])
        expect(yield* process.circuit).toBe("open")
      })
    )
  }

  it.scoped("that is refused has been answered", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      process.faulty.trouble = "Refused"
      yield* pass(15_000)
      expect(yield* process.circuit).toBe("closed")
    })
  )

  it.scoped("is alone on its way, and no caller's command is another", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const process = yield* atOnce(start({ breaker: { successThreshold: 5 } }))
      yield* open(process)
      process.faulty.trouble = undefined
      const sent = yield* countSent(process)
      yield* process.hold()
      yield* pass(15_000)
      for (let answered = 0; answered < 5; answered++) {
        const probe = yield* process.next("getMany")
        expect(yield* process.circuit).toBe("half-open")
        yield* crowd(20, process.run(Cache.getOrCreate("k", load(row))))
        yield* process.run(Cache.get("k"))
        yield* process.run(Cache.inspect("k"))
        yield* pass(60_000)
        expect(yield* process.underWay).toEqual([probe])
        yield* probe.pass
        yield* settleDown
      }
      expect(yield* process.circuit).toBe("closed")
      expect(yield* sentAfter(process, sent)).toEqual(Array.from({ length: 5 }, () => "getMany"))
    })
  )

  it.scoped(
    "is not sent without end to a server that is gone, if the circuit is to open for no time",
    () =>
      Effect.gen(function* () {
        const process = yield* start({ breaker: { openFor: 0 } })
        yield* open(process)
        const before = yield* countSent(process)
        for (let at = 0; at < 10; at++) yield* pass(100)
        const probes = yield* sentAfter(process, before)
        expect(probes.length).toBeGreaterThan(5)
        expect(probes.length).toBeLessThanOrEqual(10)
      })
  )

  it.scoped("is not begun once the cache is closed, whatever is still asked of it", () =>
    Effect.gen(function* () {
      const process = yield* Effect.scoped(start())
      process.faulty.trouble = "Unavailable"
      for (let at = 0; at < 7; at++) yield* process.run(Cache.invalidate(`k${at}`))
      yield* settleDown
      expect(yield* process.circuit).toBe("open")
      expect([...(yield* TestClock.sleeps())]).toEqual([])
    })
  )

  // Its time is up │ the server is back, and the driver has yet to connect │ it connects.
  // A probe between the first two would fail, and keep a server that is there out of use
  // for all of openFor.
  it.scoped("waits for a connection, and is sent within a twentieth of openFor", () =>
    Effect.gen(function* () {
      let isReachable = false
      const status = () => ({ address: "redis://localhost:6379/0", isReachable })
      const server = { ...(yield* MemoryBackend.make()), status }
      const process = yield* atOnce(start({}, server))
      expect(yield* process.circuit).toBe("open")
      const sent = yield* countSent(process)
      yield* pass(20_000)
      expect(yield* sentAfter(process, sent)).toEqual([])
      isReachable = true
      yield* pass(750)
      expect(yield* sentAfter(process, sent)).toEqual(["getMany", "getMany"])
      expect(yield* process.circuit).toBe("closed")
    })
  )

  // It has waited for a connection in vain │ the server is back │ the driver connects. If the
  // circuit had been opened anew for that, a server that is there would be out of use.
  it.scoped("waits for a connection for as long as it takes, and is not half-open for it", () =>
    Effect.gen(function* () {
      let isReachable = false
      const status = () => ({ address: "redis://localhost:6379/0", isReachable })
      const server = { ...(yield* MemoryBackend.make()), status }
      const process = yield* atOnce(start({}, server))
      const { told } = yield* listen(process)
      process.faulty.trouble = "Unavailable"
      const sent = yield* countSent(process)
      for (let at = 0; at < 93; at++) yield* pass(1_000)
      // Every 15 seconds one, for the backend may be mistaken about itself.
      expect(yield* sentAfter(process, sent)).toEqual(Array.from({ length: 5 }, () => "getMany"))
      expect(yield* told).toEqual([])
      process.faulty.trouble = undefined
      isReachable = true
      yield* pass(750)
      expect(yield* process.circuit).toBe("closed")
    })
  )

  // It is sent │ the server is back │ its time is over. What it was sent to was another.
  it.scoped("that fails late opens the circuit again for openFor from when it was sent", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      yield* process.hold()
      yield* pass(15_000)
      const probe = yield* process.next("getMany")
      yield* pass(4_000)
      yield* probe.pass
      yield* settleDown
      expect(yield* process.circuit).toBe("open")
      process.faulty.trouble = undefined
      yield* process.release
      yield* pass(10_999)
      expect(yield* process.circuit).toBe("open")
      yield* pass(1)
      expect(yield* process.circuit).toBe("closed")
    })
  )

  for (const [name, status] of [
    ["says that nobody is there", () => ({ address: "db:1", isReachable: false })],
    [
      "throws instead of saying so",
      () => {
        throw new Error("no status")
      }
    ]
  ] as const) {
    it.scoped(`is sent in the end to a backend that answers, and ${name}`, () =>
      Effect.gen(function* () {
        const process = yield* atOnce(start({}, { ...(yield* MemoryBackend.make()), status }))
        yield* open(process)
        process.faulty.trouble = undefined
        for (let at = 0; at < 31; at++) yield* pass(1_000)
        expect(yield* process.circuit).toBe("closed")
      })
    )
  }

  it.scoped("without a connection, after one that was answered, opens the circuit again", () =>
    Effect.gen(function* () {
      let isReachable = true
      const status = () => ({ address: "redis://localhost:6379/0", isReachable })
      const server = { ...(yield* MemoryBackend.make()), status }
      const process = yield* atOnce(start({}, server))
      yield* open(process)
      process.faulty.trouble = undefined
      yield* process.hold()
      yield* pass(15_000)
      isReachable = false
      yield* Effect.flatMap(process.next("getMany"), (answered) => answered.pass)
      yield* settleDown
      expect(yield* process.circuit).toBe("half-open")
      process.faulty.trouble = "Unavailable"
      yield* Effect.flatMap(process.next("getMany"), (failed) => failed.pass)
      yield* settleDown
      expect(yield* process.circuit).toBe("open")
    })
  )

  it.scoped("is not sent any more once the cache is closed", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const process = yield* Effect.scoped(
        Effect.tap(atOnce(start({}, server)), (process) => open(process))
      )
      const sent = yield* countSent(process)
      yield* pass(60_000)
      expect(yield* sentAfter(process, sent)).toEqual([])
    })
  )
})

describe("what is pending", () => {
  const invalidates = (process: Effect.Effect.Success<ReturnType<typeof start>>, key: string) =>
    process.run(Cache.invalidate(key))

  it.scoped("goes first: the probe carries it", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const process = yield* atOnce(start({}, server))
      const other = yield* startProcess(server)
      yield* other.run(Cache.set("k", "old"))
      yield* open(process)
      expect(yield* invalidates(process, "k")).toBe(false)
      expect((yield* process.health).pendingInvalidations).toBe(1)
      const { told } = yield* listen(process)
      process.faulty.trouble = undefined
      const sent = yield* countSent(process)
      yield* pass(15_000)
      expect(yield* sentAfter(process, sent)).toEqual(["invalidate", "getMany"])
      expect((yield* process.health).pendingInvalidations).toBe(0)
      expect(yield* process.run(Cache.get("k"))).toEqual(Option.none())
      expect(yield* told).toContainEqual({ _tag: "invalidationConfirmed", key: "k" })
    })
  )

  it.scoped("that a probe carries in vain goes behind the others", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      yield* process.run(Cache.invalidate("refused here, not there"))
      yield* process.run(Cache.invalidate("fine"))
      process.faulty.trouble = undefined
      yield* process.hold("invalidate")
      yield* TestClock.adjust("15 seconds")
      const first = yield* process.next("invalidate")
      expect(first.keys).toEqual(["larder:refused here, not there"])
      yield* first.lose
      yield* TestClock.adjust("15 seconds")
      const second = yield* process.next("invalidate")
      expect(second.keys).toEqual(["larder:fine"])
      yield* process.release
    })
  )

  // One node of several is gone, and what is pending there cannot be confirmed.
  for (const [name, dead, alive] of [
    ["one key", 1, []],
    ["two keys, and now and then one where it can", 2, ["k"]],
    ["eight keys", 8, []]
  ] as const) {
    it.scoped(`at a node that is gone keeps no circuit open: ${name}`, () =>
      Effect.gen(function* () {
        const process = yield* atOnce(start({}, yield* withNodeGone))
        yield* open(process)
        for (let at = 0; at < dead; at++) yield* invalidates(process, `gone ${at}`)
        process.faulty.trouble = undefined
        let closed = 0
        for (let second = 1; second <= 300; second++) {
          yield* pass(1_000)
          if (second % 20 === 0) yield* Effect.forEach(alive, (key) => invalidates(process, key))
          yield* look(process)
          if ((yield* process.circuit) === "closed") closed++
        }
        expect(closed).toBeGreaterThan(300 - 31)
        expect((yield* process.health).pendingInvalidations).toBe(dead)
      })
    )
  }

  it.scoped("at a node that is gone does not open it: others read", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start({}, yield* withNodeGone))
      for (let at = 0; at < 8; at++) {
        yield* invalidates(process, `gone ${at}`)
        yield* look(process)
      }
      for (let second = 0; second < 300; second++) {
        yield* pass(1_000)
        yield* look(process)
        expect(yield* process.circuit).toBe("closed")
      }
    })
  )

  it.scoped("is tried again although others before it fail for good", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start({}, yield* withNodeGone))
      for (let at = 0; at < 8; at++) {
        yield* invalidates(process, `gone ${at}`)
        yield* look(process)
      }
      process.faulty.trouble = "Unavailable"
      yield* invalidates(process, "k")
      process.faulty.trouble = undefined
      yield* look(process)
      yield* pass(10_000)
      expect((yield* process.health).pendingInvalidations).toBe(8)
    })
  )

  it.scoped("alone opens the circuit, if nobody else says that the server is there", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      process.faulty.trouble = "Unavailable"
      yield* invalidates(process, "k")
      yield* settleDown
      expect(yield* process.circuit).toBe("closed")
      yield* pass(1_600)
      expect(yield* process.circuit).toBe("open")
    })
  )

  // A `clear` has failed, and the next attempt behind is due in a while.
  it.scoped(
    "of a prefix is never cleared by a caller, who does not wait for the next attempt",
    () =>
      Effect.gen(function* () {
        const process = yield* atOnce(start())
        process.faulty.trouble = "Unavailable"
        yield* process.run(Cache.clear)
        yield* settleDown
        process.faulty.trouble = undefined
        const sent = yield* countSent(process)
        yield* process.run(Cache.set("k", 1))
        expect(yield* sentAfter(process, sent)).toEqual([])
        yield* pass(10_000)
        expect((yield* process.health).pendingInvalidations).toBe(0)
      })
  )

  it.scoped("of a prefix that is being cleared is waited for by a set, for a while", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* process.hold("clear")
      const clearing = yield* Effect.fork(process.run(Cache.clear))
      yield* process.next("clear")
      yield* Fiber.interrupt(clearing)
      const replay = yield* process.next("clear")
      const late = yield* Effect.fork(process.run(Cache.set("late", 1)))
      yield* pass(249)
      const early = yield* Effect.fork(process.run(Cache.set("in time", 1)))
      yield* settleDown
      expect(yield* Fiber.poll(late)).toEqual(Option.none())
      yield* pass(1)
      yield* Fiber.join(late)
      yield* replay.pass
      yield* Fiber.join(early)
      yield* settleDown
      expect(yield* process.run(Cache.get("in time"))).toEqual(Option.some(1))
      expect(yield* process.run(Cache.get("late"))).toEqual(Option.none())
    })
  )

  it.scoped("that is gone by the time its probe fails does not come back", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      yield* process.run(Cache.invalidate("k"))
      process.faulty.trouble = undefined
      yield* process.hold("invalidate")
      yield* TestClock.adjust("15 seconds")
      const probe = yield* process.next("invalidate")
      // Another write of the key has a record of its own: that one stays where it is.
      yield* process.run(Cache.invalidate("k"))
      yield* probe.lose
      yield* settleDown
      expect((yield* process.health).pendingInvalidations).toBe(1)
      yield* process.release
    })
  )

  it.scoped("of a prefix is no probe: it is cleared once the circuit is closed", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      yield* invalidates(process, "k")
      yield* process.run(Cache.clear)
      process.faulty.trouble = undefined
      const sent = yield* countSent(process)
      yield* pass(15_000)
      expect(yield* sentAfter(process, sent)).toEqual(["invalidate", "getMany", "clear"])
      expect(yield* process.circuit).toBe("closed")
    })
  )

  for (const [name, write] of [
    ["set", Cache.set("a", "new")],
    ["invalidate", Cache.invalidate("a")],
    ["clear", Cache.clear]
  ] as const) {
    it.scoped(`keeps its key from being read after the recovery until replayed: ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* MemoryBackend.make()
        const process = yield* atOnce(start({}, server))
        const other = yield* startProcess(server)
        yield* other.run(Cache.set("a", "old"))
        yield* open(process)
        // Two others are before it: they are what the probes carry.
        if (name !== "clear") {
          yield* invalidates(process, "x")
          yield* invalidates(process, "y")
        } else {
          yield* process.run(Cache.set("a", "newer"))
        }
        yield* process.run(write)
        process.faulty.trouble = undefined
        const replayed = name === "clear" ? "clear" : "invalidate"
        yield* process.hold(replayed)
        yield* pass(15_000)
        if (name !== "clear") {
          yield* (yield* process.next(replayed)).pass
          yield* settleDown
          yield* (yield* process.next(replayed)).pass
          yield* settleDown
          expect(yield* process.circuit).toBe("closed")
        }
        const replay = yield* process.next(replayed)
        const sent = yield* countSent(process)
        const counted = (yield* process.counters).bypassed
        expect(yield* process.run(Cache.getOrCreate("a", Effect.succeed("made")))).toBe("made")
        expect(yield* process.run(Cache.get("a"))).toEqual(Option.none())
        expect((yield* process.counters).bypassed).toBe(counted + 2)
        expect(yield* sentAfter(process, sent)).toEqual([])
        yield* replay.pass
        yield* process.release
        yield* settleDown
        expect((yield* process.health).pendingInvalidations).toBe(0)
        expect(yield* process.run(Cache.get("a"))).toEqual(Option.none())
      })
    )
  }

  it.scoped("again, by a write during its replay, stays pending", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      yield* invalidates(process, "k")
      process.faulty.trouble = undefined
      yield* process.hold("invalidate")
      yield* pass(15_000)
      const probe = yield* process.next("invalidate")
      yield* invalidates(process, "k")
      yield* probe.pass
      yield* settleDown
      expect((yield* process.health).pendingInvalidations).toBe(1)
      yield* (yield* process.next("invalidate")).pass
      yield* settleDown
      expect((yield* process.health).pendingInvalidations).toBe(0)
      expect(yield* process.circuit).toBe("closed")
    })
  )

  it.scoped("is not replayed while nothing is sent, and at once when it is", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* open(process)
      yield* Effect.forEach(["a", "b", "c", "d"], (key) => invalidates(process, key))
      const sent = yield* countSent(process)
      yield* pass(14_999)
      expect(yield* sentAfter(process, sent)).toEqual([])
      process.faulty.trouble = undefined
      yield* pass(1)
      const names = yield* sentAfter(process, sent)
      expect(names).toEqual(Array.from({ length: 4 }, () => "invalidate"))
      expect((yield* process.health).pendingInvalidations).toBe(0)
    })
  )

  it.scoped("is replayed though another is refused, again and again", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const refuse = (key: string) =>
        key === "larder:a"
          ? Effect.fail(
              new BackendError({ backend: "b", command: "invalidate", reason: "Refused" })
            )
          : server.invalidate(key)
      const process = yield* start({}, { ...server, invalidate: refuse })
      yield* invalidates(process, "a")
      process.faulty.trouble = "Unavailable"
      yield* invalidates(process, "b")
      process.faulty.trouble = undefined
      yield* pass(10_000)
      expect((yield* process.health).pendingInvalidations).toBe(1)
      const row = makeRow()
      const lookup = process.run(Cache.getOrCreate("b", load(row)))
      yield* lookup
      yield* lookup
      expect(row.reads).toBe(1)
    })
  )

  it.scoped("is not replayed again when it is confirmed: what was set since stays", () =>
    Effect.gen(function* () {
      const process = yield* start({ breaker: { enabled: false } })
      process.faulty.trouble = "Unavailable"
      yield* invalidates(process, "a")
      yield* invalidates(process, "b")
      process.faulty.trouble = undefined
      yield* process.hold("invalidate")
      yield* pass(1_000)
      const replayOfA = yield* process.next("invalidate")
      const setting = yield* Effect.fork(process.run(Cache.set("b", "set since")))
      yield* settleDown
      yield* (yield* process.next("invalidate")).pass
      yield* setting
      yield* replayOfA.pass
      yield* process.release
      yield* pass(10_000)
      expect((yield* process.health).pendingInvalidations).toBe(0)
      expect(yield* process.run(Cache.get("b"))).toEqual(Option.some("set since"))
    })
  )

  it.scoped("is interrupted with its cache while it waits for the recovery", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const process = yield* Effect.scoped(
        Effect.tap(start({}, server), (process) =>
          Effect.zipRight(open(process), invalidates(process, "k"))
        )
      )
      const sent = yield* countSent(process)
      yield* pass(60_000)
      expect(yield* sentAfter(process, sent)).toEqual([])
    })
  )
})

describe("what was sent before the opening", () => {
  it.scoped("fails late, and changes nothing", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* process.hold("holder")
      const late = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.fork(process.run(Cache.inspect("k")))
      )
      const commands = yield* Effect.forEach(late, () => process.next("holder"))
      yield* open(process)
      yield* recovered(process)
      expect(yield* process.circuit).toBe("closed")
      yield* Effect.forEach(commands, (command) => command.lose)
      yield* Effect.forEach(late, Fiber.join)
      expect(yield* process.circuit).toBe("closed")
      yield* look(process, 4, "Timeout", process.faulty)
      expect(yield* process.circuit).toBe("closed")
    })
  )

  it.scoped("succeeds late, and closes nothing", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* process.hold("holder")
      const late = yield* Effect.fork(process.run(Cache.inspect("k")))
      const command = yield* process.next("holder")
      yield* open(process)
      yield* command.pass
      yield* late
      expect(yield* process.circuit).toBe("open")
    })
  )

  it.scoped("is given to who waits for it: a lease that is granted is not used to store", () =>
    Effect.gen(function* () {
      const process = yield* atOnce(start())
      yield* process.hold("lease")
      const lookup = yield* Effect.fork(process.run(Cache.getOrCreate("k", Effect.succeed(1))))
      const lease = yield* process.next("lease")
      yield* open(process)
      const sent = yield* countSent(process)
      yield* lease.pass
      expect(yield* lookup).toBe(1)
      expect(yield* sentAfter(process, sent)).toEqual([])
      yield* recovered(process)
      expect(yield* process.run(Cache.get("k"))).toEqual(Option.none())
    })
  )
})

describe("a cache whose backend is back", () => {
  it.scoped("reads and stores again", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* open(process)
      yield* process.run(Cache.getOrCreate("k", Effect.succeed(1)))
      yield* recovered(process)
      const { create, begun, open: end } = yield* heldLoad({ value: 2, reads: 0 })
      const lookup = yield* Effect.fork(process.run(Cache.getOrCreate("k", create)))
      yield* begun
      yield* end
      expect(yield* lookup).toBe(2)
      expect(yield* process.run(Cache.getOrCreate("k", Effect.succeed(3)))).toBe(2)
      expect(yield* process.health).toMatchObject({ healthy: true, circuit: "closed" })
    })
  )

  // Begun │ the circuit closes │ another process invalidates │ someone joins.
  it.scoped("gives nobody what began before, unless it came before that", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const process = yield* start()
      yield* open(process)
      const held = yield* heldLoad(row)
      const first = yield* Effect.fork(process.run(Cache.getOrCreate("k", held.create)))
      yield* held.begun
      yield* recovered(process)
      row.value = 2
      const late = yield* Effect.fork(process.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      yield* open(process)
      yield* held.open
      expect([yield* first, yield* late]).toEqual([1, 2])
    })
  )

  it.scoped("had told why it was gone, also if it took a single fault", () =>
    Effect.gen(function* () {
      const process = yield* start({ breaker: { failureThreshold: 1 } })
      const { told } = yield* listen(process)
      yield* look(process, 1, "Defect", process.faulty)
      const reason = "The circuit to memory is open: the backend is broken"
      expect(yield* told).toContainEqual({ _tag: "degraded", reason })
    })
  )

  it.scoped("says so once, as it said that it was gone, and how it found out", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const process = yield* start({ name: "shop" })
        const { told } = yield* listen(process)
        yield* open(process)
        yield* pass(16_000)
        yield* recovered(process)
        const said = lines.filter(({ text }) => text.startsWith("Circuit breaker"))
        const opened = {
          level: "ERROR",
          text: "Circuit breaker opened (failing fast) [ 'breaker', 'shop' ]"
        }
        const halfOpen = {
          level: "INFO",
          text: "Circuit breaker half-open (testing recovery) [ 'breaker', 'shop' ]"
        }
        const closed = {
          level: "INFO",
          text: "Circuit breaker closed (recovered) [ 'breaker', 'shop' ]"
        }
        expect(said).toEqual([opened, halfOpen, opened, halfOpen, closed])
        const reason = "The circuit to memory is open: memory: getMany failed (Unavailable)"
        expect(yield* told).toEqual([
          { _tag: "circuit", from: "closed", to: "open" },
          { _tag: "degraded", reason },
          { _tag: "circuit", from: "open", to: "half-open" },
          { _tag: "circuit", from: "half-open", to: "open" },
          { _tag: "circuit", from: "open", to: "half-open" },
          { _tag: "circuit", from: "half-open", to: "closed" },
          { _tag: "recovered" }
        ])
      })
    )
  )
})
