/** ◆ The lease: silence means gone, and only a grant that was read entitles to commit. */
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { Cache } from "effect-larder"
import { inEveryWorld } from "./everyWorld.js"
import { heldLoad, load, makeRow, startProcess } from "./world.js"

inEveryWorld("the lease", ({ advance, settleDown, startServer }) => {
  it.scoped("one process creates while the others wait", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const processes = yield* Effect.all(Array.from({ length: 8 }, () => startProcess(server)))
      const lookups = processes.flatMap(({ run }) =>
        Array.from({ length: 20 }, () =>
          run(Cache.getOrCreate("k", Effect.delay(load(row), "50 millis")))
        )
      )
      const fibers = yield* Effect.forkAll(lookups)
      yield* settleDown
      yield* advance("1 second")
      expect(yield* fibers).toEqual(Array(160).fill(1))
      expect(row.reads).toBe(1)
    })
  )

  it.scoped("a slow creator never causes a second load: its lease is renewed", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const lookup = Cache.getOrCreate("k", Effect.delay(load(row), "30 seconds"))
      const a = yield* Effect.fork(here.run(lookup))
      yield* settleDown
      const b = yield* Effect.fork(there.run(lookup))
      yield* advance("31 seconds")
      expect([yield* a, yield* b]).toEqual([1, 1])
      expect(row.reads).toBe(1)
    })
  )

  // A holds the lease and falls silent. After one duration one of the waiters is
  // granted it, and stores. A comes back and commits: refused.
  it.scoped("a silent holder is overtaken after one duration, and its late commit refused", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const silent = yield* startProcess(server)
      const waiters = yield* Effect.all([startProcess(server), startProcess(server)])
      yield* silent.hold("renew", "commit")
      const { begun, create, open } = yield* heldLoad(row)
      const a = yield* Effect.fork(silent.run(Cache.getOrCreate("k", create)))
      yield* begun
      row.value = 2
      const fibers = yield* Effect.forkAll(
        waiters.map(({ run }) => run(Cache.getOrCreate("k", load(row))))
      )
      yield* advance("4.9 seconds")
      expect(row.reads).toBe(1)
      yield* advance("600 millis")
      expect(yield* fibers).toEqual([2, 2])
      expect(row.reads).toBe(2)
      const takeovers = yield* Effect.all(
        waiters.map(({ run }) => Effect.map(run(Cache.counters), ({ takeovers }) => takeovers))
      )
      expect(takeovers.reduce((sum, each) => sum + each)).toBe(1)

      yield* open
      const commit = yield* silent.next("commit")
      yield* commit.pass
      expect(yield* a).toBe(1)
      expect((yield* silent.run(Cache.counters)).fencedWrites).toBe(1)
      expect(yield* silent.run(Cache.get("k"))).toEqual(Option.some(2))
    })
  )

  it.scoped("a renewal in doubt is tried again, and the lease is kept", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const here = yield* startProcess(yield* startServer())
      yield* here.hold("renew")
      const a = yield* Effect.fork(
        here.run(Cache.getOrCreate("k", Effect.delay(load(row), "7 seconds")))
      )
      yield* settleDown
      yield* advance("1.7 seconds")
      yield* (yield* here.next("renew")).lose
      yield* advance("1.7 seconds")
      yield* (yield* here.next("renew")).pass
      yield* here.release
      yield* advance("4 seconds")
      expect(yield* a).toBe(1)
      expect((yield* here.run(Cache.counters)).fencedWrites).toBe(0)
      expect(yield* here.run(Cache.get("k"))).toEqual(Option.some(1))
    })
  )

  it.scoped("after maxHold a stuck creator holds the key no longer", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const lease = { duration: "1 second", maxHold: "3 seconds" } as const
      const stuck = yield* startProcess(server, { lease })
      const there = yield* startProcess(server, { lease: { duration: "1 second" } })
      yield* Effect.fork(stuck.run(Cache.getOrCreate("k", Effect.never)))
      yield* settleDown
      const b = yield* Effect.fork(there.run(Cache.getOrCreate("k", load(row))))
      yield* advance("5 seconds")
      expect(yield* b).toBe(1)
    })
  )

  // The request for the lease is sent, and its reply lost. The creator begins:
  // it reads 1. The row becomes 2, and an invalidation finds no lease to revoke.
  // Now the server executes the late request: granted. A commit with that token
  // would be accepted, and 1 be stored after the invalidation.
  it.scoped("after an unknown grant nothing is committed", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      yield* here.hold("lease")
      const { begun, create, open } = yield* heldLoad(row)
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      const request = yield* here.next("lease")
      yield* request.lose
      yield* begun
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      yield* request.execute
      yield* open
      expect(yield* a).toBe(1)
      expect(yield* here.sent).not.toContain("commit")
      expect(yield* there.run(Cache.get("k"))).toEqual(Option.none())
    })
  )

  // The mutation: an unknown reply is taken for a grant. It must be seen to break
  // what the test above holds.
  it.scoped("committing after an unknown grant would bring back what was invalidated", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const there = yield* startProcess(server)
      const here = yield* startProcess(server, {}, (backend) => ({
        ...backend,
        lease: (key, request) =>
          Effect.orElseSucceed(backend.lease(key, request), () => ({ _tag: "Granted" as const }))
      }))
      yield* here.hold("lease")
      const { begun, create, open } = yield* heldLoad(row)
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", create)))
      const request = yield* here.next("lease")
      yield* request.lose
      yield* begun
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      yield* request.execute
      yield* open
      yield* a
      expect(yield* there.run(Cache.get("k"))).toEqual(Option.some(1))
    })
  )

  it.scoped("after an unknown grant that was executed, the lease is given back at once", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      yield* here.hold("lease")
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      const request = yield* here.next("lease")
      yield* request.execute
      yield* request.lose
      yield* settleDown
      expect(yield* a).toBe(1)
      expect(yield* there.run(Cache.getOrCreate("k", load(row)))).toBe(1)
      expect(row.reads).toBe(2)
    })
  )

  // A reads: a miss. B creates, stores and releases. A asks for the lease: without
  // a second read in that step it would create again.
  it.scoped("a late leaseholder reads again", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      yield* here.hold("lease")
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      const request = yield* here.next("lease")
      yield* there.run(Cache.getOrCreate("k", load(row)))
      yield* request.pass
      expect(yield* a).toBe(1)
      expect(row.reads).toBe(1)
    })
  )

  it.scoped("a release after a failure, and after an interruption, frees the key", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      yield* Effect.exit(here.run(Cache.getOrCreate("k", Effect.fail("no"))))
      expect(yield* there.run(Cache.getOrCreate("k", load(row)))).toBe(1)
      yield* there.run(Cache.invalidate("k"))
      const begun = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(
        here.run(
          Cache.getOrCreate("k", Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never))
        )
      )
      yield* Deferred.await(begun)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(fiber))).toBe(true)
      expect(yield* there.run(Cache.getOrCreate("k", load(row)))).toBe(1)
    })
  )

  it.scoped("a failed release never fails a request", () =>
    Effect.gen(function* () {
      const here = yield* startProcess(yield* startServer())
      yield* here.hold("release")
      const fiber = yield* Effect.fork(
        Effect.flip(here.run(Cache.getOrCreate("k", Effect.fail("the creator's own"))))
      )
      yield* (yield* here.next("release")).lose
      expect(yield* fiber).toBe("the creator's own")
    })
  )

  // The creator of x in one process asks for y, that of y in the other asks for
  // x: each holds what the other waits for, and both renew. Without a bound they
  // would wait for `maxHold`.
  it.scoped("a cycle across processes ends within one lease duration", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const pause = Effect.sleep("100 millis")
      const x = Cache.getOrCreate(
        "x",
        Effect.zipRight(pause, Cache.getOrCreate("y", Effect.succeed("y within x")))
      )
      const y = Cache.getOrCreate(
        "y",
        Effect.zipRight(pause, Cache.getOrCreate("x", Effect.succeed("x within y")))
      )
      const a = yield* Effect.fork(here.run(x))
      const b = yield* Effect.fork(there.run(y))
      yield* advance("5.6 seconds")
      expect(Option.isSome(yield* Fiber.poll(a))).toBe(true)
      expect(Option.isSome(yield* Fiber.poll(b))).toBe(true)
    })
  )

  // The same, but in each process an outside caller waits for the other's key
  // already, with all its patience, and the creator joins that.
  it.scoped("a cycle across processes through outside callers ends as soon", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      const pause = Effect.sleep("500 millis")
      const outer = (key: string, inner: string) =>
        Cache.getOrCreate(
          key,
          Effect.zipRight(pause, Cache.getOrCreate(inner, Effect.succeed(inner)))
        )
      const a = yield* Effect.fork(here.run(outer("x", "y")))
      const b = yield* Effect.fork(there.run(outer("y", "x")))
      yield* settleDown
      const outsideHere = yield* Effect.fork(
        here.run(Cache.getOrCreate("y", Effect.succeed("outside")))
      )
      const outsideThere = yield* Effect.fork(
        there.run(Cache.getOrCreate("x", Effect.succeed("outside")))
      )
      yield* advance("6.2 seconds")
      const ended = yield* Effect.all([a, b, outsideHere, outsideThere].map(Fiber.poll))
      expect(ended.every(Option.isSome)).toBe(true)
    })
  )
})
