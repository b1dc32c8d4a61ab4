/** ◆ Writes overtake what is being rebuilt, and what is not confirmed stays pending. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { BackendError, Cache } from "effect-larder"
import { inEveryWorld } from "./everyWorld.js"
import {
  heldLoad,
  load,
  makeRow,
  type Options,
  type Process,
  startProcess,
  startServer,
  startTwoTier
} from "./world.js"

const pendingOf = (process: Process) =>
  Effect.map(process.run(Cache.health), ({ pendingInvalidations }) => pendingInvalidations)

inEveryWorld("a write", ({ settleDown, startServer }) => {
  for (const overtaker of ["here", "there"] as const) {
    for (const pushes of [true, false]) {
      const how = `(from ${overtaker}, pushes: ${pushes})`
      const start = Effect.gen(function* () {
        const row = makeRow()
        const server = yield* startServer({ pushes })
        const here = yield* startProcess(server)
        const writer = overtaker === "here" ? here : yield* startProcess(server)
        const held = yield* heldLoad(row)
        const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", held.create)))
        yield* held.begun
        row.value = 2
        return { row, here, writer, a, ...held }
      })

      for (const [name, write] of [
        ["invalidate", Cache.invalidate("k")],
        ["clear", Cache.clear]
      ] as const) {
        it.scoped(`${name} in mid-rebuild wins ${how}`, () =>
          Effect.gen(function* () {
            const { a, here, open, row, writer } = yield* start
            yield* writer.run(write)
            yield* open
            expect(yield* a).toBe(1)
            expect(yield* here.run(Cache.get("k"))).toEqual(Option.none())
            expect(yield* here.run(Cache.getOrCreate("k", load(row)))).toBe(2)
          })
        )
      }

      it.scoped(`set in mid-rebuild wins ${how}`, () =>
        Effect.gen(function* () {
          const { a, here, open, writer } = yield* start
          yield* writer.run(Cache.set("k", 2))
          const b = yield* Effect.fork(here.run(Cache.getOrCreate("k", Effect.succeed(3))))
          yield* settleDown
          yield* open
          expect([yield* a, yield* b]).toEqual([1, 2])
          expect(yield* here.run(Cache.get("k"))).toEqual(Option.some(2))
        })
      )
    }
  }

  it.scoped("clear spares what begins alike, and ends in a push of its own", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const app = yield* startProcess(server, { prefix: "app" })
      const app2 = yield* startProcess(server, { prefix: "app2" })
      yield* app.run(Cache.set("k", 1))
      yield* app2.run(Cache.set("k", 2))
      yield* app.run(Cache.clear)
      expect(yield* app.run(Cache.get("k"))).toEqual(Option.none())
      expect(yield* app2.run(Cache.get("k"))).toEqual(Option.some(2))
    })
  )
})

inEveryWorld("a write that the server has not confirmed", (world) => {
  const { advance, settleDown, startServer } = world

  /** An entry of 1 in the backend, the row at 2, and an invalidation whose command is lost. */
  const lostInvalidationWith = (options: Options) =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server, options)
      const there = yield* startProcess(server)
      yield* here.run(Cache.getOrCreate("k", load(row)))
      row.value = 2
      yield* here.hold("invalidate", "clear")
      const fiber = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* (yield* here.next("invalidate")).lose
      expect(yield* fiber).toBe(false)
      return { row, server, here, there }
    })
  const lostInvalidation = lostInvalidationWith({})

  it.scoped("leaves the key unread here until its replay is confirmed", () =>
    Effect.gen(function* () {
      const { here, row, there } = yield* lostInvalidation
      const before = yield* here.sent
      expect(yield* here.run(Cache.getOrCreate("k", load(row)))).toBe(2)
      expect(yield* here.run(Cache.get("k"))).toEqual(Option.none())
      const since = (yield* here.sent).slice(before.length)
      expect(since.filter((name) => name !== "invalidate")).toEqual([])
      expect((yield* here.run(Cache.counters)).bypassed).toBe(2)
      expect(yield* pendingOf(here)).toBe(1)

      yield* (yield* here.next("invalidate")).pass
      yield* settleDown
      expect(yield* pendingOf(here)).toBe(0)
      expect(yield* there.run(Cache.get("k"))).toEqual(Option.none())
      expect(yield* here.run(Cache.getOrCreate("k", load(row)))).toBe(2)
      expect(yield* there.run(Cache.get("k"))).toEqual(Option.some(2))
    })
  )

  it.scoped("is replayed until the server answers, later and later", () =>
    Effect.gen(function* () {
      // Or after five in a row the replay would wait until the circuit is closed.
      const { here } = yield* lostInvalidationWith({ breaker: { enabled: false } })
      for (let attempt = 0; attempt < 5; attempt++) {
        yield* (yield* here.next("invalidate")).lose
        yield* settleDown
        yield* advance("6 seconds")
      }
      yield* (yield* here.next("invalidate")).pass
      yield* settleDown
      expect(yield* pendingOf(here)).toBe(0)
    })
  )

  // The replay of the first is sent, and executed. Meanwhile another invalidation
  // of the key fails: the server may yet execute what it was to overtake. The
  // confirmation of the first must not remove the second.
  it.scoped("is not taken for confirmed by the confirmation of an earlier one", () =>
    Effect.gen(function* () {
      const { here } = yield* lostInvalidation
      const replay = yield* here.next("invalidate")
      yield* replay.execute
      const set = yield* Effect.fork(Effect.interruptible(here.run(Cache.clear)))
      yield* (yield* here.next("clear")).lose
      yield* set
      const again = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* (yield* here.next("invalidate")).lose
      yield* again
      yield* replay.reply
      yield* settleDown
      expect(yield* pendingOf(here)).toBe(2)
    })
  )

  it.scoped("goes before a set of the same key", () =>
    Effect.gen(function* () {
      const { here } = yield* lostInvalidation
      const replay = yield* here.next("invalidate")
      const before = yield* here.sent
      const set = yield* Effect.fork(here.run(Cache.set("k", 3)))
      yield* settleDown
      // One invalidation of a key is under way: what comes of it is enough.
      expect(set.unsafePoll()).toBeNull()
      yield* replay.lose
      yield* set
      expect(yield* here.sent).toEqual(before)
      expect(yield* pendingOf(here)).toBe(1)
    })
  )

  // A's rebuild holds the lease, and has read 1. The row becomes 2; the
  // invalidation is lost and not executed: it has revoked nothing. A commit would
  // be accepted.
  it.scoped("keeps a rebuild that was under way from committing", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      const { begun, create, open } = yield* heldLoad(row)
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      yield* begun
      yield* here.hold("invalidate")
      row.value = 2
      const write = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* (yield* here.next("invalidate")).lose
      yield* write
      const b = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      expect(yield* b).toBe(2)
      yield* open
      expect(yield* a).toBe(1)
      expect(yield* here.sent).not.toContain("commit")
    })
  )

  // A's read has been executed: a miss. Another process holds the lease, with a row
  // of 1. The row becomes 2; this process's invalidation is lost. Now A's miss
  // arrives. If A asked for the lease, it would wait for 1, and all who come later
  // would join it.
  it.scoped("keeps a lookup that had missed before from asking for the lease", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const held = yield* heldLoad(row)
      yield* Effect.fork(there.run(Cache.getOrCreate("k", held.create)))
      yield* held.begun
      yield* here.hold("getMany", "invalidate")
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      const read = yield* here.next("getMany")
      yield* read.execute
      row.value = 2
      const write = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* (yield* here.next("invalidate")).lose
      yield* write
      yield* read.reply
      expect(yield* a).toBe(2)
      expect(yield* here.sent).not.toContain("lease")
    })
  )

  it.scoped("lets nothing through that skips the read, either", () =>
    Effect.gen(function* () {
      const { here, row } = yield* lostInvalidation
      const before = (yield* here.sent).length
      const lookup = Cache.getOrCreate("k", load(row), { refresh: true })
      expect(yield* here.run(lookup)).toBe(2)
      const since = (yield* here.sent).slice(before)
      expect(since.filter((name) => name !== "invalidate")).toEqual([])
      expect((yield* here.run(Cache.counters)).bypassed).toBe(1)
    })
  )

  it.scoped("stays pending when its caller is interrupted", () =>
    Effect.gen(function* () {
      const here = yield* startProcess(yield* startServer())
      yield* here.hold("invalidate")
      const fiber = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* here.next("invalidate")
      yield* Fiber.interrupt(fiber)
      expect(yield* pendingOf(here)).toBe(1)
    })
  )

  // The set is lost, and executed a second later: after the reads that missed it.
  it.scoped("is an invalidation, never a value: a late set does not stand", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server)
      yield* here.hold("set", "invalidate")
      const fiber = yield* Effect.fork(here.run(Cache.set("k", "late")))
      const set = yield* here.next("set")
      yield* set.lose
      yield* fiber
      const replay = yield* here.next("invalidate")
      yield* set.execute
      yield* replay.pass
      yield* settleDown
      expect(yield* here.run(Cache.get("k"))).toEqual(Option.none())
    })
  )

  it.scoped("is pending when the server says that it came late", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const late = new BackendError({ backend: "memory", command: "set", reason: "Late" })
      const here = yield* startProcess(server, {}, (backend) => ({
        ...backend,
        set: () => Effect.fail(late)
      }))
      yield* here.hold("invalidate")
      yield* here.run(Cache.set("k", 1))
      expect(yield* pendingOf(here)).toBe(1)
    })
  )

  it.scoped("leaves the whole prefix pending when it was a clear", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      yield* here.run(Cache.getOrCreate("k", load(row)))
      row.value = 2
      yield* here.hold("clear")
      const fiber = yield* Effect.fork(here.run(Cache.clear))
      yield* (yield* here.next("clear")).lose
      yield* fiber
      expect(yield* here.run(Cache.getOrCreate("k", load(row)))).toBe(2)
      yield* (yield* here.next("clear")).pass
      yield* settleDown
      expect(yield* pendingOf(here)).toBe(0)
      expect(yield* here.run(Cache.getOrCreate("k", load(row)))).toBe(2)
    })
  )
})

inEveryWorld("a fault", ({ settleDown, startServer }) => {
  it.scoped("in a read makes a leaseless run that sends nothing more, shared by its tick", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      yield* here.hold("getMany")
      const fiber = yield* Effect.forkAll(
        Array.from({ length: 500 }, () => here.run(Cache.getOrCreate("k", load(row))))
      )
      yield* (yield* here.next("getMany")).lose
      expect(yield* fiber).toEqual(Array(500).fill(1))
      expect(row.reads).toBe(1)
      expect(yield* here.sent).toEqual(["getMany"])
      expect((yield* here.run(Cache.counters)).backendErrors).toBe(1)
    })
  )

  it.scoped("in a commit sends later callers to a leaseless run, not to the server", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      yield* here.hold("commit", "release")
      const { begun, create, open } = yield* heldLoad(row)
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      yield* begun
      const b = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      yield* open
      const commit = yield* here.next("commit")
      const before = (yield* here.sent).length
      yield* commit.lose
      expect([yield* a, yield* b]).toEqual([1, 1])
      expect(row.reads).toBe(2)
      expect((yield* here.sent).slice(before).filter((name) => name !== "release")).toEqual([])
    })
  )
})

// Of a kind that no server has at the test's bidding.
describe("a fault of the backend's own", () => {
  it.scoped("never reaches a caller, whichever command fails", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const fault = new BackendError({ backend: "memory", command: "any", reason: "Unavailable" })
      const down = () => Effect.fail(fault)
      const here = yield* startProcess({
        ...server,
        getMany: down,
        lease: down,
        renew: down,
        commit: down,
        release: down,
        set: down,
        invalidate: down,
        clear: down,
        holder: down,
        keys: () => Stream.fail(fault)
      })
      expect(yield* here.run(Cache.getOrCreate("k", Effect.succeed(1)))).toBe(1)
      expect(yield* here.run(Cache.getOrCreate("k", Effect.succeed(2), { refresh: true }))).toBe(2)
      yield* here.run(Cache.set("k", 1))
      expect(yield* here.run(Cache.invalidate("k"))).toBe(false)
      yield* here.run(Cache.clear)
      expect(yield* here.run(Cache.get("k"))).toEqual(Option.none())
      expect(yield* here.run(Cache.inspect("k"))).toEqual(Option.none())
      expect((yield* here.run(Cache.stats)).size).toBe(0)
      expect((yield* here.run(Cache.health)).healthy).toBe(false)
    })
  )

  it.scoped("never reaches a caller, even where a method throws as it is called", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const thrown = (): never => {
        throw new Error("not an Effect")
      }
      for (const name of ["getMany", "lease", "renew", "commit", "release", "set"] as const) {
        const context = yield* Layer.build(Cache.fromBackend({ ...server, [name]: thrown }))
        const run = Effect.provide(context)
        expect(yield* run(Cache.getOrCreate(name, Effect.succeed(1)))).toBe(1)
        expect(
          yield* run(Effect.flip(Cache.getOrCreate(name, Effect.fail(2), { refresh: true })))
        ).toBe(2)
        yield* run(Cache.set(name, 1))
      }
    })
  )

  it.scoped("of a backend that cannot clear is a warning, and L1 is cleared all the same", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const capabilities = { ...server.capabilities, scan: false }
      const here = yield* startTwoTier({ ...server, capabilities })
      yield* here.run(Cache.getOrCreate("k", Effect.succeed(1)))
      const before = (yield* here.sent).length
      yield* here.run(Cache.clear)
      yield* here.run(Cache.get("k"))
      expect((yield* here.sent).slice(before)).toEqual(["getMany"])
    })
  )

  it.scoped("leaves at most 10,000 keys pending: beyond, the whole prefix is", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const fault = new BackendError({ backend: "memory", command: "any", reason: "Unavailable" })
      const down = () => Effect.fail(fault)
      const here = yield* startProcess({ ...server, invalidate: down, clear: down })
      yield* Effect.forEach(
        Array.from({ length: 10_001 }, (_, key) => String(key)),
        (key) => here.run(Cache.invalidate(key)),
        { concurrency: 100, discard: true }
      )
      expect(yield* pendingOf(here)).toBe(1)
      expect(yield* here.run(Cache.getOrCreate("untouched", Effect.succeed(1)))).toBe(1)
      expect((yield* here.run(Cache.counters)).bypassed).toBe(1)
    })
  )
})
