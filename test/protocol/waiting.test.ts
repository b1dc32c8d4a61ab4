/** ◆ Waiting for another process: whose end a waiter heeds, and what it sits through. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache, type CacheOptions, CacheRegion } from "effect-larder"
import { inEveryWorld } from "./everyWorld.js"
import { heldLoad, load, makeRow, type Row, startProcess } from "./world.js"

const countOf = (names: ReadonlyArray<string>, name: string) =>
  names.filter((each) => each === name).length

inEveryWorld("a waiter", ({ advance, settleDown, startServer }) => {
  /** A creates, and B waits for it, until A's creator is let go on. */
  const waiting = (
    row: Row,
    lookup: Effect.Effect<unknown, never, Cache> = Cache.getOrCreate("k", load(row)),
    life: CacheOptions = {}
  ) =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server, life)
      const there = yield* startProcess(server)
      const { begun, create, open } = yield* heldLoad(row)
      yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      yield* begun
      const b = yield* Effect.fork(there.run(lookup))
      yield* settleDown
      return { here, there, b, open }
    })

  /** A has stored, and B's read of that is held. */
  const looking = (...scene: Parameters<typeof waiting>) =>
    Effect.gen(function* () {
      const { b, here, open, there } = yield* waiting(...scene)
      yield* there.hold("getMany")
      yield* open
      return { here, there, b, read: yield* there.next("getMany") }
    })

  it.scoped("is woken by the push of the token it was told, without the clock", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const { b, open, there } = yield* waiting(row)
      yield* open
      expect(yield* b).toBe(1)
      // What was stored is read by the cheapest way: nobody need ask for the lease.
      expect(yield* there.sent).toEqual(["getMany", "lease", "getMany"])
    })
  )

  // A stores 1 and pushes. B hears it and reads; before the server answers, the key
  // is invalidated. B must not wait for a push that has come already.
  it.scoped("asks for the lease if what was stored is gone by then", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const { b, here, read, there } = yield* looking(row)
      yield* here.run(Cache.invalidate("k"))
      row.value = 2
      yield* read.pass
      expect(yield* b).toBe(2)
      expect(row.reads).toBe(2)
      expect(countOf(yield* there.sent, "commit")).toBe(1)
      // It was told what became of the holder: nobody has crashed.
      expect((yield* there.run(Cache.counters)).takeovers).toBe(0)
    })
  )

  // A's value is fresh for a second, and stale for a minute. B hears that it is stored,
  // and reads; the server answers when it has expired. B refreshes in line: not for it.
  it.scoped("asks for the lease if what was stored has expired by then", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const lookup = Cache.getOrCreate("k", load(row), { background: false })
      const { b, read } = yield* looking(row, lookup, {
        ttl: "1 second",
        staleWhileRevalidate: "1 minute"
      })
      yield* advance("1100 millis")
      row.value = 2
      yield* read.pass
      expect(yield* b).toBe(2)
      expect(row.reads).toBe(2)
    })
  )

  // The push came, the read it caused is out, and the moment of the next poll passes.
  it.scoped("does not ask for the lease beside a read that is out", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const { b, open, there } = yield* waiting(row)
      yield* advance("150 millis")
      yield* there.hold("getMany")
      yield* open
      const read = yield* there.next("getMany")
      yield* advance("200 millis")
      yield* read.pass
      expect(yield* b).toBe(1)
      expect(yield* there.sent).toEqual(["getMany", "lease", "getMany"])
    })
  )

  it.scoped("that leaves while its read is out harms nobody", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const { b, read, there } = yield* looking(row)
      yield* Fiber.interrupt(b)
      yield* read.pass
      yield* there.release
      expect(yield* there.run(Cache.getOrCreate("k", load(row)))).toBe(1)
      expect(row.reads).toBe(1)
      expect(countOf(yield* there.sent, "lease")).toBe(1)
    })
  )

  it.scoped("has what it reads replaced if that cannot be decoded", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const schema = Schema.Struct({ id: Schema.Number })
      const { b, open, there } = yield* waiting(
        row,
        Cache.getOrCreate("k", Effect.succeed({ id: 7 }), { schema })
      )
      yield* open
      expect(yield* b).toEqual({ id: 7 })
      expect((yield* there.run(Cache.counters)).decodeErrors).toBe(1)
      expect(yield* there.run(Cache.get("k", schema))).toEqual(Option.some({ id: 7 }))
    })
  )

  // The push came; the read it caused is never answered. Nobody sends another command.
  it.scoped("runs without a lease if that read fails, and sends nothing more", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const { b, read, there } = yield* looking(row)
      yield* read.lose
      expect(yield* b).toBe(1)
      expect(row.reads).toBe(2)
      expect(yield* there.sent).toEqual(["getMany", "lease", "getMany"])
      expect((yield* there.run(Cache.counters)).backendErrors).toBe(1)
    })
  )

  // B waits; in its process an invalidation of the key remains unconfirmed. Then A,
  // which was not told, stores what it has read before, and pushes.
  it.scoped("reads nothing while an invalidation of its own process is pending", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const { b, open, there } = yield* waiting(row)
      yield* there.hold("invalidate")
      const invalidating = yield* Effect.fork(there.run(Cache.invalidate("k")))
      const first = yield* there.next("invalidate")
      yield* first.lose
      yield* invalidating
      row.value = 2
      yield* open
      expect(yield* b).toBe(2)
      expect(yield* there.sent).not.toContain("commit")
      expect(countOf(yield* there.sent, "getMany")).toBe(1)
    })
  )

  // B is told "held by T". A push about another token comes: a lease that ended
  // before T was granted. B would look again for nothing; a chatty key would make
  // it ask all the time.
  it.scoped("heeds no push of another token", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const { begun, create, open } = yield* heldLoad(row)
      yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      yield* begun
      const b = yield* Effect.fork(there.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      yield* there.signal({ _tag: "Push", key: "larder:k", token: "another", reason: "ended" })
      yield* settleDown
      expect(countOf(yield* there.sent, "lease")).toBe(1)
      yield* open
      expect(yield* b).toBe(1)
    })
  )

  // B asks; the server answers "held by T", and the reply is under way. A commits,
  // and the push about T overtakes that reply. A waiter that began to listen only
  // now would sleep until its next poll.
  it.scoped("keeps a push that overtakes its own reply", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const { begun, create, open } = yield* heldLoad(row)
      yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      yield* begun
      yield* there.hold("lease")
      const b = yield* Effect.fork(there.run(Cache.getOrCreate("k", load(row))))
      const asked = yield* there.next("lease")
      yield* asked.execute
      yield* open
      yield* settleDown
      yield* asked.reply
      yield* (yield* there.next("lease")).pass
      expect(yield* b).toBe(1)
      expect(row.reads).toBe(1)
    })
  )

  it.scoped("polls, with jitter, where pushes are lost", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer({ pushes: false })
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const { begun, create, open } = yield* heldLoad(row)
      yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      yield* begun
      const b = yield* Effect.fork(there.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      yield* advance("1 second")
      const asked = countOf(yield* there.sent, "lease")
      expect(asked).toBeGreaterThanOrEqual(4)
      expect(asked).toBeLessThanOrEqual(6)
      yield* open
      yield* advance("300 millis")
      expect(yield* b).toBe(1)
    })
  )

  for (const pushes of [true, false]) {
    // The holder fails and says so. One waiter is granted; the others find the key
    // held again, and create without a lease: no convoy of one load after another.
    it.scoped(`a failing creator costs one load a process and no convoy (pushes: ${pushes})`, () =>
      Effect.gen(function* () {
        const server = yield* startServer({ pushes })
        const processes = yield* Effect.all(Array.from({ length: 8 }, () => startProcess(server)))
        let loads = 0
        const failing = Effect.sync(() => loads++).pipe(
          Effect.zipRight(Effect.sleep("1 second")),
          Effect.zipRight(Effect.fail("no"))
        )
        const fiber = yield* Effect.forkAll(
          processes.flatMap(({ run }) =>
            Array.from({ length: 100 }, () => Effect.exit(run(Cache.getOrCreate("k", failing))))
          )
        )
        yield* settleDown
        yield* advance("3 seconds")
        const exits = yield* fiber
        expect(exits.every((exit) => Exit.isFailure(exit))).toBe(true)
        expect(loads).toBeLessThanOrEqual(8)
      })
    )
  }

  it.scoped("with an error schema, a failure is stored, and one load serves all", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const processes = yield* Effect.all(Array.from({ length: 8 }, () => startProcess(server)))
      const region = CacheRegion.make({
        name: "row",
        value: Schema.Number,
        error: Schema.Literal("no")
      })
      let loads = 0
      const failing = Effect.sync(() => loads++).pipe(
        Effect.zipRight(Effect.sleep("1 second")),
        Effect.zipRight(Effect.fail("no" as const))
      )
      const fiber = yield* Effect.forkAll(
        processes.map(({ run }) => Effect.flip(run(region.getOrCreate("k", failing))))
      )
      yield* settleDown
      yield* advance("2 seconds")
      expect(yield* fiber).toEqual(Array(8).fill("no"))
      expect(loads).toBe(1)
    })
  )

  // Every generation is invalidated before it commits. A waiter that sat through
  // each of them would never get anything.
  it.scoped("is not starved by frequent invalidations", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const slow = Effect.delay(load(row), "1 second")
      yield* Effect.forkScoped(Effect.forever(here.run(Cache.getOrCreate("k", slow))))
      yield* settleDown
      const writer = yield* startProcess(server)
      yield* Effect.forkScoped(
        Effect.forever(Effect.delay(writer.run(Cache.invalidate("k")), "400 millis"))
      )
      const b = yield* Effect.fork(there.run(Cache.getOrCreate("k", slow)))
      yield* advance("4 seconds")
      expect(yield* b).toBe(1)
    })
  )

  // The first holder vanishes, a waiter is granted and vanishes, too: the last one
  // has sat through one unannounced end, and does not sit through a second.
  it.scoped("sits through one crash, and not through a second", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer({ pushes: false })
      const lease = { duration: "1 second" } as const
      const crash = (name: string) =>
        Effect.gen(function* () {
          const process = yield* startProcess(server, { lease })
          yield* process.hold("renew", "commit", "release")
          const held = yield* heldLoad(makeRow())
          return { ...process, name, held }
        })
      const first = yield* crash("first")
      const second = yield* crash("second")
      const third = yield* crash("third")
      yield* Effect.fork(first.run(Cache.getOrCreate("k", first.held.create)))
      yield* first.held.begun
      const patient = yield* startProcess(server, { lease })
      const b = yield* Effect.fork(patient.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      // Always there first when the lease runs out: the patient one polls later.
      yield* patient.hold("lease")
      yield* advance("1100 millis")
      for (const crasher of [second, third]) {
        yield* Effect.fork(crasher.run(Cache.getOrCreate("k", crasher.held.create)))
        yield* crasher.held.begun
        const asked = yield* patient.next("lease")
        yield* asked.pass
        if (crasher === second) {
          yield* settleDown
          expect(row.reads).toBe(0)
          yield* advance("1100 millis")
        }
      }
      expect(yield* b).toBe(1)
      expect(yield* patient.sent).not.toContain("commit")
    })
  )

  // As the next, but it hears of each value. Creators take longer than a lease lasts.
  it.scoped("does not take for a crash what it heard was stored, however long that took", () =>
    Effect.gen(function* () {
      const [theirs, own] = [makeRow(), makeRow()]
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const build = Effect.gen(function* () {
        const held = yield* heldLoad(theirs)
        yield* Effect.fork(here.run(Cache.getOrCreate("k", held.create)))
        yield* held.begun
        return held
      })
      let { open } = yield* build
      const b = yield* Effect.fork(there.run(Cache.getOrCreate("k", load(own))))
      yield* settleDown
      for (let replaced = 0; replaced < 3; replaced++) {
        yield* advance("6 seconds")
        yield* there.hold("getMany")
        yield* open
        const look = yield* there.next("getMany")
        yield* here.run(Cache.invalidate("k"))
        open = (yield* build).open
        yield* there.release
        yield* look.pass
        yield* settleDown
      }
      yield* open
      expect(yield* b).toBe(1)
      expect(own.reads).toBe(0)
    })
  )

  // Stored │ invalidated │ another builds │ the waiter looks: the one that it waited for is
  // gone, sooner than a lease can run out. The first time it may have been a crash.
  it.scoped("sits through four whose values were replaced before it looked, and not a fifth", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer({ pushes: false })
      const other = yield* startProcess(server)
      const patient = yield* startProcess(server)
      const build = Effect.gen(function* () {
        const held = yield* heldLoad(makeRow())
        const lookup = yield* Effect.fork(other.run(Cache.getOrCreate("k", held.create)))
        yield* held.begun
        return { end: Effect.zipRight(held.open, Fiber.join(lookup)) }
      })
      let { end } = yield* build
      const b = yield* Effect.fork(patient.run(Cache.getOrCreate("k", load(row))))
      yield* settleDown
      yield* patient.hold("lease")
      for (const reads of [0, 0, 0, 0, 1]) {
        yield* end
        yield* other.run(Cache.invalidate("k"))
        end = (yield* build).end
        yield* advance("320 millis")
        yield* (yield* patient.next("lease")).pass
        yield* settleDown
        expect(row.reads).toBe(reads)
      }
      expect(yield* b).toBe(1)
      expect(yield* patient.sent).not.toContain("commit")
      yield* end
    })
  )
})
