/**
 * ◆ Who may be given what: a value returned by a command sent after the caller
 * came; a creator's value, if the creator began after it came; a creator's value,
 * if its commit was sent after it came, and accepted.
 */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Cache } from "effect-larder"
import { inEveryWorld } from "./everyWorld.js"
import { heldLoad, load, makeRow, startProcess } from "./world.js"

inEveryWorld("who may be given what", ({ settleDown, startServer }) => {
  // A's read is executed: it has seen 1. The row becomes 2 and the entry is
  // invalidated, acknowledged. B comes. If B joined A's read, it would get 1.
  it.scoped("nobody joins a read that has been sent", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const lookup = here.run(Cache.getOrCreate("k", load(row)))
      yield* there.run(Cache.getOrCreate("k", load(row)))

      yield* here.hold("getMany")
      const a = yield* Effect.fork(lookup)
      const readOfA = yield* here.next("getMany")
      yield* readOfA.execute
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      const b = yield* Effect.fork(lookup)
      const readOfB = yield* here.next("getMany")
      yield* readOfA.reply
      yield* readOfB.pass

      expect(yield* a).toBe(1)
      expect(yield* b).toBe(2)
    })
  )

  for (const pushes of [true, false]) {
    // A's creator has read 1. The row becomes 2, another process invalidates. B
    // comes, misses, and finds A's rebuild: its commit is refused, so B may not
    // have its value, and goes round.
    it.scoped(`a refused commit sends later callers round again (pushes: ${pushes})`, () =>
      Effect.gen(function* () {
        const row = makeRow()
        const server = yield* startServer({ pushes })
        const here = yield* startProcess(server)
        const there = yield* startProcess(server)
        const { begun, create, open } = yield* heldLoad(row)

        const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
        yield* begun
        row.value = 2
        yield* there.run(Cache.invalidate("k"))
        const later = yield* Effect.forkAll(
          Array.from({ length: 20 }, () => here.run(Cache.getOrCreate("k", load(row))))
        )
        yield* settleDown
        expect(row.reads).toBe(1)
        yield* open

        expect(yield* a).toBe(1)
        expect(yield* later).toEqual(Array(20).fill(2))
        expect(row.reads).toBe(2)
        expect((yield* here.run(Cache.counters)).fencedWrites).toBe(1)
        expect(yield* there.run(Cache.get("k"))).toMatchObject({ value: 2 })
      })
    )
  }

  it.scoped("an accepted commit serves those who came while the creator ran", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      const { begun, create, open } = yield* heldLoad(row)
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      yield* begun
      const b = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      yield* open
      expect([yield* a, yield* b]).toEqual([1, 1])
      expect(row.reads).toBe(1)
    })
  )

  // A's commit is sent and executed. The row becomes 2, another process
  // invalidates, acknowledged. C comes, misses, and finds A's rebuild still
  // waiting for its reply: "accepted". If C joined, it would get 1.
  it.scoped("nobody joins a rebuild whose commit has been sent", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      yield* here.hold("commit")
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      const commit = yield* here.next("commit")
      yield* commit.execute
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      const c = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      const commitOfC = yield* here.next("commit")
      yield* commit.reply
      yield* commitOfC.pass
      expect(yield* a).toBe(1)
      expect(yield* c).toBe(2)
    })
  )

  // A reads (miss) before the commit of B is sent, but its reply comes later: it
  // came before, so it may have what B commits.
  it.scoped("who came before the commit was sent may have it, however late its read", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      yield* here.hold("getMany", "commit")
      const b = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      const readOfB = yield* here.next("getMany")
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      const readOfA = yield* here.next("getMany")
      yield* readOfA.execute
      yield* readOfB.pass
      const commit = yield* here.next("commit")
      yield* readOfA.reply
      yield* settleDown
      yield* commit.pass
      expect([yield* a, yield* b]).toEqual([1, 1])
      expect(row.reads).toBe(1)
    })
  )

  // Another process holds the lease, and A will not wait for it: its creator
  // runs without a lease, and has read 1. The row becomes 2 and the entry is
  // invalidated. B and C come: nothing guards A's value, so they may not have it.
  it.scoped("a leaseless run is not shared with those who came after it began", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const elsewhere = yield* heldLoad(makeRow())
      const holder = yield* Effect.fork(there.run(Cache.getOrCreate("k", elsewhere.create)))
      yield* elsewhere.begun

      const { begun, create, open } = yield* heldLoad(row)
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", create, { wait: 0 })))
      yield* begun
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      const [b, c] = yield* Effect.all([
        Effect.fork(here.run(Cache.getOrCreate("k", load(row)))),
        Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      ])
      yield* settleDown
      yield* open
      expect(yield* a).toBe(1)
      expect([yield* b, yield* c]).toEqual([2, 2])
      expect(row.reads).toBe(2)
      yield* Fiber.interrupt(holder)
    })
  )

  it.scoped("a failure goes to every joiner, whenever it came", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      const { begun, create, open } = yield* heldLoad(row)
      const failing = Effect.zipRight(create, Effect.fail("no such row" as const))
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", failing)))
      yield* begun
      const b = yield* Effect.fork(here.run(Cache.getOrCreate("k", failing)))
      yield* settleDown
      yield* open
      expect(yield* Effect.flip(Fiber.join(a))).toBe("no such row")
      expect(yield* Effect.flip(Fiber.join(b))).toBe("no such row")
      expect(row.reads).toBe(1)
    })
  )
})
