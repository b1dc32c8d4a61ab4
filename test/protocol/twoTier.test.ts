/** ◆ L1 over L2: filled only by what nothing has overtaken, serving only while pushes are heard. */
import { expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Cache } from "effect-larder"
import { inEveryWorld } from "./everyWorld.js"
import { heldLoad, load, makeRow, startProcess, startTwoTier } from "./world.js"

inEveryWorld("L1 over L2", ({ advance, settleDown, startServer }) => {
  const start = Effect.gen(function* () {
    const row = makeRow()
    const server = yield* startServer()
    const here = yield* startTwoTier(server)
    const there = yield* startProcess(server)
    return { row, server, here, there, lookup: here.run(Cache.getOrCreate("k", load(row))) }
  })

  it.scoped("a second lookup sends nothing", () =>
    Effect.gen(function* () {
      const { here, lookup } = yield* start
      yield* lookup
      const before = (yield* here.sent).length
      expect(yield* lookup).toBe(1)
      expect((yield* here.sent).length).toBe(before)
    })
  )

  // A's read has been executed: it has seen 1. The row becomes 2, and this process
  // invalidates: acknowledged. Now the reply comes. If it filled L1, every later
  // caller would be served 1.
  it.scoped("a read that a write has overtaken does not fill it", () =>
    Effect.gen(function* () {
      const { here, lookup, row, there } = yield* start
      yield* there.run(Cache.set("k", 1))
      yield* here.setPushes("hold")
      yield* here.hold("getMany")
      const a = yield* Effect.fork(lookup)
      const read = yield* here.next("getMany")
      yield* read.execute
      row.value = 2
      yield* here.run(Cache.invalidate("k"))
      yield* read.reply
      expect(yield* a).toBe(1)
      yield* here.release
      expect(yield* lookup).toBe(2)
    })
  )

  // As before, but the read is sent while the invalidation is under way: what the
  // write voids when it is called does not include it. (Its own push would, but
  // that may come later than its reply, or never.)
  it.scoped("a read sent while a write was under way does not fill it", () =>
    Effect.gen(function* () {
      const { here, lookup, row, there } = yield* start
      yield* there.run(Cache.set("k", 1))
      yield* here.setPushes("hold")
      yield* here.hold("getMany", "invalidate")
      row.value = 2
      const write = yield* Effect.fork(here.run(Cache.invalidate("k")))
      const invalidate = yield* here.next("invalidate")
      const a = yield* Effect.fork(lookup)
      const read = yield* here.next("getMany")
      yield* read.execute
      yield* invalidate.pass
      yield* write
      yield* read.reply
      expect(yield* a).toBe(1)
      yield* here.release
      expect(yield* lookup).toBe(2)
    })
  )

  it.scoped("a read that another process's push has overtaken does not fill it", () =>
    Effect.gen(function* () {
      const { here, lookup, row, there } = yield* start
      yield* there.run(Cache.set("k", 1))
      yield* here.hold("getMany")
      const a = yield* Effect.fork(lookup)
      const read = yield* here.next("getMany")
      yield* read.execute
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      yield* settleDown
      yield* read.reply
      expect(yield* a).toBe(1)
      yield* here.release
      expect(yield* lookup).toBe(2)
    })
  )

  // The commit is accepted; before its reply comes, another process invalidates,
  // and its push arrives. If the reply filled L1, the push would have been in vain.
  it.scoped("a commit that a push has overtaken does not fill it", () =>
    Effect.gen(function* () {
      const { here, lookup, row, there } = yield* start
      yield* here.hold("commit")
      const a = yield* Effect.fork(lookup)
      const commit = yield* here.next("commit")
      yield* commit.execute
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      yield* settleDown
      yield* commit.reply
      expect(yield* a).toBe(1)
      yield* here.release
      expect(yield* lookup).toBe(2)
    })
  )

  it.scoped("a write of another process empties it by a push", () =>
    Effect.gen(function* () {
      const { lookup, row, there } = yield* start
      yield* lookup
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      yield* settleDown
      expect(yield* lookup).toBe(2)
      row.value = 3
      yield* there.run(Cache.clear)
      yield* settleDown
      expect(yield* lookup).toBe(3)
    })
  )

  // While pushes go unheard, another process may write: what L1 holds, and what is
  // on its way there, cannot be trusted, nor can what is read before it is heard
  // again.
  it.scoped("neither serves nor fills while the subscription is lost", () =>
    Effect.gen(function* () {
      const { here, lookup, row, there } = yield* start
      yield* lookup
      yield* here.setPushes("lose")
      yield* here.signal({ _tag: "Lost" })
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      expect(yield* lookup).toBe(2)
      row.value = 3
      yield* there.run(Cache.invalidate("k"))
      expect(yield* lookup).toBe(3)
      yield* here.setPushes("deliver")
      yield* here.signal({ _tag: "Subscribed" })
      yield* lookup
      const before = (yield* here.sent).length
      expect(yield* lookup).toBe(3)
      expect((yield* here.sent).length).toBe(before)
    })
  )

  it.scoped("what is on its way when the subscription is lost does not fill it", () =>
    Effect.gen(function* () {
      const { here, lookup, row, there } = yield* start
      const held = yield* heldLoad(row)
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", held.create)))
      yield* held.begun
      yield* here.signal({ _tag: "Lost" })
      yield* here.signal({ _tag: "Subscribed" })
      yield* held.open
      yield* a
      yield* here.setPushes("lose")
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      expect(yield* lookup).toBe(2)
    })
  )

  it.scoped("a write of this process only removes from it", () =>
    Effect.gen(function* () {
      const { here, lookup } = yield* start
      yield* here.run(Cache.set("k", 5))
      const before = (yield* here.sent).length
      expect(yield* lookup).toBe(5)
      expect((yield* here.sent).slice(before)).toEqual(["getMany"])
    })
  )

  // The reply has come; the reader has yet to take its step. The push arrives
  // between the two. (On a wire, whatever comes next comes after that step.)
  it.scoped("a read that a push overtakes after its reply does not fill it", () =>
    Effect.gen(function* () {
      const { row, server, there } = yield* start
      const here = yield* startTwoTier({ connect: server.connectByCalls })
      const lookup = here.run(Cache.getOrCreate("k", load(row)))
      yield* there.run(Cache.set("k", 1))
      yield* here.hold("getMany")
      const a = yield* Effect.fork(lookup)
      const read = yield* here.next("getMany")
      yield* read.execute
      row.value = 2
      yield* here.setPushes("hold")
      yield* there.run(Cache.invalidate("k"))
      yield* settleDown
      yield* Effect.zipRight(read.reply, here.deliver)
      expect(yield* a).toBe(1)
      yield* here.release
      expect(yield* lookup).toBe(2)
    })
  )

  // The reply has come, and its value is being decoded, which takes its time. The
  // push arrives meanwhile.
  it.scoped("a read that a push overtakes while it is decoded does not fill it", () =>
    Effect.gen(function* () {
      const { here, row, there } = yield* start
      const gate = yield* Deferred.make<void>()
      const schema = Schema.transformOrFail(Schema.Number, Schema.Number, {
        strict: true,
        decode: (value) => Effect.as(Deferred.await(gate), value),
        encode: (value) => Effect.succeed(value)
      })
      const lookup = here.run(Cache.getOrCreate("k", load(row), { schema }))
      yield* there.run(Cache.set("k", 1))
      yield* here.setPushes("hold")
      const a = yield* Effect.fork(lookup)
      yield* settleDown
      row.value = 2
      yield* there.run(Cache.invalidate("k"))
      yield* settleDown
      yield* here.deliver
      yield* Deferred.succeed(gate, undefined)
      expect(yield* a).toBe(1)
      expect(yield* lookup).toBe(2)
    })
  )

  // A's read is gathered, and not sent yet. An invalidation is lost. The read is
  // sent, and brings what was to be invalidated.
  it.scoped("a read sent while an invalidation is pending does not fill it", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const there = yield* startProcess(server)
      yield* there.run(Cache.set("k", 1))
      const flushes: Array<() => void> = []
      const here = yield* startTwoTier(server, (flush) => flushes.push(flush))
      const lookup = here.run(Cache.getOrCreate("k", load(row)))
      const a = yield* Effect.fork(lookup)
      yield* settleDown
      row.value = 2
      yield* here.hold("invalidate")
      const write = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* (yield* here.next("invalidate")).lose
      yield* write
      for (const flush of flushes) flush()
      expect(yield* a).toBe(1)
      expect(yield* lookup).toBe(2)
    })
  )

  // A's read has been executed: it has seen 1. A refresh commits 2, and fills L1.
  // Now A's reply comes: if it filled L1, those who saw 2 would see 1 again.
  it.scoped("never goes back to what a commit has replaced", () =>
    Effect.gen(function* () {
      const { here, lookup, row, there } = yield* start
      yield* there.run(Cache.set("k", 1))
      yield* here.hold("getMany")
      const a = yield* Effect.fork(lookup)
      const read = yield* here.next("getMany")
      yield* read.execute
      row.value = 2
      yield* here.run(Cache.getOrCreate("k", load(row), { refresh: true }))
      yield* read.reply
      yield* a
      yield* here.release
      expect(yield* lookup).toBe(2)
    })
  )

  it.scoped("refreshes early what it has just read, and asks once if another was faster", () =>
    Effect.gen(function* () {
      const { here, row, there } = yield* start
      const lookup = Cache.getOrCreate("k", Effect.delay(load(row), "1 second"), { beta: 1e9 })
      const first = yield* Effect.fork(here.run(lookup))
      yield* advance("1 second")
      yield* first
      yield* advance("1 minute")
      // Another process refreshes: ours holds an entry that is no longer the one.
      const other = yield* Effect.fork(
        there.run(Cache.getOrCreate("k", load(row), { refresh: true }))
      )
      yield* other
      const before = (yield* here.sent).length
      yield* here.run(lookup)
      yield* settleDown
      yield* here.run(lookup)
      yield* settleDown
      const since = (yield* here.sent).slice(before)
      expect(since.filter((name) => name === "lease").length).toBeLessThanOrEqual(2)
      expect(since).toContain("getMany")
    })
  )
})
