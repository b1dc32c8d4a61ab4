/** Bugs that other caches shipped: none of them is one of ours. */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { BackendError, Cache, CacheRegion, MemoryCache } from "effect-larder"
import { keys } from "./cache/world.js"
import {
  advance,
  heldLoad,
  load,
  makeRow,
  type Process,
  settleDown,
  startProcess,
  startServer
} from "./protocol/world.js"

type Run = Process["run"]

/** Two who use one cache, or a cache each over one backend. */
interface World {
  readonly name: string
  readonly caches: number
  readonly start: Effect.Effect<{ readonly here: Run; readonly there: Run }, never, Scope.Scope>
}

const worlds: ReadonlyArray<World> = [
  {
    name: "in memory",
    caches: 1,
    start: Effect.map(Layer.build(MemoryCache.layer({ beta: 0 })), (context) => {
      const run: Run = Effect.provideService(Cache, Context.get(context, Cache))
      return { here: run, there: run }
    })
  },
  {
    name: "on two caches over one backend",
    caches: 2,
    start: Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      return { here: here.run, there: there.run }
    })
  }
]

const times = <A>(count: number, make: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, index) => make(index))

/** What a fiber has come to, without waiting: a test of what hangs must not hang. */
const outcome = <A, E>(fiber: Fiber.Fiber<A, E>) => Effect.zipRight(settleDown, Fiber.poll(fiber))

const success = <A>(value: A) => Option.some(Exit.succeed(value))

/** A rebuild under way that has read 1, of a row that is 2 by now. */
const outdated = (run: Run) =>
  Effect.gen(function* () {
    const row = makeRow()
    const { begun, create, open } = yield* heldLoad(row)
    const rebuild = yield* Effect.fork(run(Cache.getOrCreate("k", create)))
    yield* begun
    row.value = 2
    return { row, rebuild, open }
  })

for (const { caches, name, start } of worlds) {
  describe(name, () => {
    describe("Effect's Cache:", () => {
      it.scoped("interrupting the leader interrupts none of its followers", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const row = makeRow()
          const { begun, create, open } = yield* heldLoad(row)
          const leader = yield* Effect.fork(here(Cache.getOrCreate("k", create)))
          yield* begun
          const followers = yield* Effect.forkAll(
            times(100, (i) => (i % 2 === 0 ? here : there)(Cache.getOrCreate("k", create)))
          )
          yield* settleDown
          yield* Fiber.interrupt(leader)
          yield* open
          expect(yield* outcome(followers)).toEqual(success(times(100, () => 1)))
          expect(row.reads).toBe(1)
        })
      )

      it.scoped("a leader interrupted at any moment leaves no key stuck", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          for (let yields = 0; yields < 60; yields++) {
            const key = String(yields)
            const { create, open } = yield* heldLoad(makeRow())
            const leader = yield* Effect.fork(here(Cache.getOrCreate(key, create)))
            yield* Effect.repeatN(Effect.yieldNow(), yields)
            yield* Effect.fork(Fiber.interrupt(leader))
            // Who comes before the leader has left joins it; who comes after has to load.
            const lookup = Cache.getOrCreate(key, Effect.succeed(1))
            const next = yield* Effect.fork(Effect.all([here(lookup), there(lookup)]))
            yield* settleDown
            yield* open
            yield* advance("500 millis")
            expect(yield* outcome(next), `after ${yields}`).toEqual(success([1, 1]))
          }
        })
      )

      it.scoped("an invalidation during a load is not lost: what is loaded is not stored", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const { open, rebuild, row } = yield* outdated(here)
          yield* there(Cache.invalidate("k"))
          yield* open
          expect(yield* rebuild).toBe(1)
          expect(yield* here(Cache.getOrCreate("k", load(row)))).toBe(2)
        })
      )

      it.scoped("a failure is not kept: the next caller runs its creator", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const failure = yield* Effect.exit(here(Cache.getOrCreate("k", Effect.fail("no"))))
          expect(failure).toEqual(Exit.fail("no"))
          const defect = yield* Effect.exit(here(Cache.getOrCreate("k", Effect.die("bug"))))
          expect(defect).toEqual(Exit.die("bug"))
          expect(yield* there(Cache.getOrCreate("k", Effect.succeed(1)))).toBe(1)
        })
      )
    })

    describe("bentocache and its like:", () => {
      it.scoped("a delete during a rebuild is not overwritten by the old value", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const { open, rebuild, row } = yield* outdated(here)
          yield* there(Cache.invalidate("k"))
          expect(yield* there(Cache.getOrCreate("k", load(row)))).toBe(2)
          yield* open
          expect(yield* rebuild).toBe(1)
          expect(yield* here(Cache.get("k"))).toEqual(Option.some(2))
          expect(yield* there(Cache.get("k"))).toEqual(Option.some(2))
        })
      )

      it.scoped("a set during a rebuild is not overwritten by the old value", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const { open, rebuild } = yield* outdated(here)
          yield* there(Cache.set("k", 2))
          yield* open
          expect(yield* rebuild).toBe(1)
          expect(yield* here(Cache.get("k"))).toEqual(Option.some(2))
          expect(yield* there(Cache.get("k"))).toEqual(Option.some(2))
        })
      )

      it.scoped("a clear during a rebuild is not overwritten by the old value", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const { open, rebuild } = yield* outdated(here)
          yield* there(Cache.clear)
          yield* open
          expect(yield* rebuild).toBe(1)
          expect(yield* here(Cache.get("k"))).toEqual(Option.none())
          expect(yield* there(Cache.get("k"))).toEqual(Option.none())
        })
      )

      it.scoped("a get after the delete does not join the old flight", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const { open, rebuild, row } = yield* outdated(here)
          yield* here(Cache.invalidate("k"))
          for (const run of [there, here]) {
            const after = yield* Effect.fork(run(Cache.getOrCreate("k", load(row))))
            expect(yield* outcome(after)).toEqual(success(2))
          }
          yield* open
          expect(yield* rebuild).toBe(1)
        })
      )

      it.scoped("a get after the other's delete is not given what the old flight makes", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const { open, rebuild, row } = yield* outdated(here)
          yield* there(Cache.invalidate("k"))
          const after = yield* Effect.fork(here(Cache.getOrCreate("k", load(row))))
          yield* settleDown
          yield* open
          expect(yield* outcome(after)).toEqual(success(2))
          expect(yield* rebuild).toBe(1)
          expect(yield* here(Cache.get("k"))).toEqual(Option.some(2))
        })
      )

      it.scoped("a get after the set does not join the old flight", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const { open, rebuild } = yield* outdated(here)
          yield* there(Cache.set("k", 2))
          const after = yield* Effect.fork(here(Cache.getOrCreate("k", Effect.succeed(3))))
          expect(yield* outcome(after)).toEqual(success(2))
          yield* open
          expect(yield* rebuild).toBe(1)
        })
      )

      it.scoped("50 waiters on a failing factory run it once", () =>
        Effect.gen(function* () {
          const { here } = yield* start
          let runs = 0
          const failing = Effect.sync(() => runs++).pipe(
            Effect.zipRight(Effect.sleep("1 second")),
            Effect.zipRight(Effect.fail("no"))
          )
          const come = Effect.forkAll(
            times(25, () => Effect.exit(here(Cache.getOrCreate("k", failing))))
          )
          const waiters = yield* come
          yield* advance("500 millis")
          const latecomers = yield* come
          yield* advance("500 millis")
          const failures = success(times(25, () => Exit.fail("no")))
          expect(yield* outcome(waiters)).toEqual(failures)
          expect(yield* outcome(latecomers)).toEqual(failures)
          expect(runs).toBe(1)
        })
      )

      for (const [cleared, neighbours] of [
        ["app*", ["app", "app1", "apple", "app**"]],
        ["app[1]", ["app", "app1", "app[", "app[1]]"]],
        ["app?", ["app", "app1", "apps"]],
        ["app\\", ["app", "app\\\\", "app\\*"]]
      ] as const) {
        it.scoped(`clear of ${cleared} removes what is there, and nothing of a neighbour`, () =>
          Effect.gen(function* () {
            const { here, there } = yield* start
            const region = (name: string) => CacheRegion.make({ name, value: Schema.Number })
            for (const name of [cleared, ...neighbours]) yield* here(region(name).set("k", 1))
            yield* there(region(cleared).clear)
            expect(yield* here(region(cleared).get("k"))).toEqual(Option.none())
            expect(yield* here(keys)).toEqual(neighbours.map((name) => `${name}:k`).toSorted())
          })
        )
      }
    })

    describe("cachefence:", () => {
      it.scoped("the creator failed: not every waiter tries again", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          let runs = 0
          const failing = Effect.sync(() => runs++).pipe(
            Effect.zipRight(Effect.sleep("1 second")),
            Effect.zipRight(Effect.fail("no"))
          )
          const lookup = Effect.exit(Cache.getOrCreate("k", failing))
          const first = yield* Effect.fork(here(lookup))
          yield* settleDown
          const waiters = yield* Effect.forkAll(times(50, () => there(lookup)))
          yield* advance(caches === 1 ? "1 second" : "3 seconds")
          expect(yield* outcome(first)).toEqual(success(Exit.fail("no")))
          expect(yield* outcome(waiters)).toEqual(success(times(50, () => Exit.fail("no"))))
          expect(runs).toBe(caches)
        })
      )

      it.scoped(
        "a user's key that looks like bookkeeping blocks no other, and is not blocked",
        () =>
          Effect.gen(function* () {
            const { here, there } = yield* start
            const lookalikes = [
              ..."k:lock lock:k k:lease lease:k k! k!lease !lease:k k.lock lock k:ended".split(" "),
              ..."{larder:k} larder!lease:{larder:k} !lease:{larder:k} larder:k".split(" ")
            ]
            for (const key of lookalikes) yield* here(Cache.set(key, key))
            const { begun, create, open } = yield* heldLoad(makeRow())
            const rebuild = yield* Effect.fork(there(Cache.getOrCreate("k", create)))
            yield* begun
            for (const key of lookalikes) {
              expect(yield* here(Cache.get(key)), key).toEqual(Option.some(key))
              expect(yield* here(Cache.invalidate(key)), key).toBe(true)
              expect(yield* here(Cache.getOrCreate(key, Effect.succeed("new"))), key).toBe("new")
            }
            yield* open
            expect(yield* outcome(rebuild)).toEqual(success(1))
            expect(yield* here(Cache.get("k"))).toEqual(Option.some(1))
          })
      )
    })

    describe("taskiq-flow:", () => {
      it.scoped("clear of a region leaves what others rebuild alone", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const row = makeRow()
          const [cleared, spared] = ["cleared", "spared"].map((name) =>
            CacheRegion.make({ name, value: Schema.Number })
          )
          const { begun, create, open } = yield* heldLoad(row)
          const rebuild = yield* Effect.fork(here(spared!.getOrCreate("k", create)))
          yield* begun
          yield* there(cleared!.clear)
          const joined = yield* Effect.fork(there(spared!.getOrCreate("k", load(row))))
          yield* settleDown
          expect(row.reads).toBe(1)
          yield* open
          expect(yield* outcome(rebuild)).toEqual(success(1))
          expect(yield* outcome(joined)).toEqual(success(1))
          expect(yield* there(spared!.get("k"))).toEqual(Option.some(1))
          expect(row.reads).toBe(1)
        })
      )

      it.scoped("the keys that are listed are entries, not what is rebuilt or has failed", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          yield* here(Cache.set("entry", 1))
          yield* Effect.exit(here(Cache.getOrCreate("failed", Effect.fail("no"))))
          const { begun, create } = yield* heldLoad(makeRow())
          yield* Effect.forkScoped(here(Cache.getOrCreate("rebuilt", create)))
          yield* begun
          expect(yield* there(keys)).toEqual(["entry"])
        })
      )

      it.scoped("an entry for good stays for good, whatever becomes of the others", () =>
        Effect.gen(function* () {
          const { here, there } = yield* start
          const brief = CacheRegion.make({ name: "brief", value: Schema.Number, ttl: "1 second" })
          yield* here(Cache.set("for good", 1, { ttl: Infinity }))
          for (let day = 0; day < 3; day++) {
            yield* there(brief.set("k", day))
            yield* there(Cache.getOrCreate("for good", Effect.succeed(2), { ttl: "1 second" }))
            yield* TestClock.adjust("365 days")
            yield* there(brief.clear)
          }
          expect(yield* there(Cache.get("for good"))).toEqual(Option.some(1))
        })
      )
    })
  })
}

describe("PersistedCache:", () => {
  it.scoped("invalidation during a rebuild leaves no old value in the store", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      yield* here.run(Cache.set("k", 1, { ttl: "1 second" }))
      yield* advance("1 second")
      const { open, rebuild } = yield* outdated(here.run)
      yield* there.run(Cache.invalidate("k"))
      yield* open
      yield* rebuild
      expect(yield* server.getMany(["larder:k"])).toEqual([undefined])
      const restarted = yield* startProcess(server)
      expect(yield* restarted.run(Cache.get("k"))).toEqual(Option.none())
    })
  )

  for (const command of ["getMany", "lease", "commit", "release", "set", "invalidate"] as const) {
    it.scoped(`a store fault does not reach the caller (${command})`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const fault = new BackendError({ backend: "memory", command, reason: "Unavailable" })
        const { run } = yield* startProcess({ ...server, [command]: () => Effect.fail(fault) })
        expect(yield* run(Cache.getOrCreate("k", Effect.succeed(1)))).toBe(1)
        const failure = run(Cache.getOrCreate("failing", Effect.fail("own")))
        expect(yield* Effect.exit(failure)).toEqual(Exit.fail("own"))
        expect(yield* Effect.exit(run(Cache.set("set", 1)))).toEqual(Exit.void)
        expect(Exit.isSuccess(yield* Effect.exit(run(Cache.invalidate("k"))))).toBe(true)
        expect(Exit.isSuccess(yield* Effect.exit(run(Cache.get("k"))))).toBe(true)
      })
    )
  }

  it.scoped(
    "a store that throws instead of saying what can be read together is read all the same",
    () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const groupOf = (): never => {
          throw new Error("this one throws")
        }
        const { run, sent } = yield* startProcess({ ...server, groupOf })
        const keys = ["a", "b"]
        yield* run(Effect.forEach(keys, (key) => Cache.set(key, key)))
        const found = Effect.forEach(keys, (key) => Cache.get(key), { concurrency: "unbounded" })
        expect(yield* run(found)).toEqual(keys.map(Option.some))
        expect((yield* sent).filter((name) => name === "getMany")).toHaveLength(1)
      })
  )

  it.scoped("two processes load once", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const processes = [yield* startProcess(server), yield* startProcess(server)]
      const row = makeRow()
      const lookup = Cache.getOrCreate("k", Effect.delay(load(row), "1 second"))
      const callers = yield* Effect.forkAll(times(100, (i) => processes[i % 2]!.run(lookup)))
      yield* advance("1 second")
      expect(yield* outcome(callers)).toEqual(success(times(100, () => 1)))
      expect(row.reads).toBe(1)
    })
  )
})

describe("bentocache:", () => {
  for (const prefix of ["app*", "app[1]", "app?", "app\\"]) {
    it.scoped(`${prefix} is no prefix: what clear would do with it cannot be in doubt`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const layers = [Cache.fromBackend(server, { prefix }), MemoryCache.layer({ prefix })]
        for (const layer of layers) {
          const exit = yield* Effect.exit(Layer.build(layer))
          expect(Exit.isFailure(exit) && String(exit.cause)).toContain(`prefix is "app`)
        }
      })
    )
  }
})

describe("cachefence:", () => {
  // B reads, and misses. A is granted the lease, loads, stores and is done. Only
  // now B's request for the lease arrives: nobody holds it.
  it.scoped("a lock that is taken after its holder has stored makes no second load", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const late = yield* startProcess(server)
      const row = makeRow()
      yield* late.hold("lease")
      const b = yield* Effect.fork(late.run(Cache.getOrCreate("k", load(row))))
      const request = yield* late.next("lease")
      expect(yield* here.run(Cache.getOrCreate("k", load(row)))).toBe(1)
      yield* request.pass
      expect(yield* outcome(b)).toEqual(success(1))
      expect(row.reads).toBe(1)
    })
  )

  /** A holder that has read 1 and fallen silent, and 100 who wait for it, of two processes. */
  const silence = Effect.gen(function* () {
    const server = yield* startServer()
    const silent = yield* startProcess(server)
    const processes = [yield* startProcess(server), yield* startProcess(server)]
    yield* silent.hold("renew", "commit", "release")
    const { open, rebuild, row } = yield* outdated(silent.run)
    const waiters = yield* Effect.forkAll(
      times(100, (i) =>
        processes[i % 2]!.run(Cache.getOrCreate("k", Effect.delay(load(row), "1 second")))
      )
    )
    yield* advance("7 seconds")
    return { silent, rebuild, open, row, waiters }
  })

  it.scoped("the holder crashed: one waiter rebuilds, and not each of them", () =>
    Effect.gen(function* () {
      const { row, waiters } = yield* silence
      expect(yield* outcome(waiters)).toEqual(success(times(100, () => 2)))
      expect(row.reads).toBe(2)
    })
  )

  it.scoped("a late holder overwrites nothing", () =>
    Effect.gen(function* () {
      const { open, rebuild, silent } = yield* silence
      yield* open
      yield* (yield* silent.next("commit")).pass
      expect(yield* rebuild).toBe(1)
      expect(yield* silent.run(Cache.get("k"))).toEqual(Option.some(2))
    })
  )

  it.scoped("the creator failed: waiting processes do not try one after the other", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const processes = yield* Effect.all(times(6, () => startProcess(server)))
      let runs = 0
      const failing = Effect.sync(() => runs++).pipe(
        Effect.zipRight(Effect.sleep("1 second")),
        Effect.zipRight(Effect.fail("no"))
      )
      const waiters = yield* Effect.forkAll(
        times(60, (i) => Effect.exit(processes[i % 6]!.run(Cache.getOrCreate("k", failing))))
      )
      yield* advance("3 seconds")
      expect(yield* outcome(waiters)).toEqual(success(times(60, () => Exit.fail("no"))))
      expect(runs).toBeLessThanOrEqual(6)
    })
  )

  for (const [how, corrupt] of [
    ["cut short", (stored: string) => stored.slice(0, -1)],
    ["changed in its payload", (stored: string) => stored.replaceAll('"', "'")],
    ["a stranger's", () => '{"value":1}'],
    ["empty", () => ""]
  ] as ReadonlyArray<[string, (stored: string) => string]>) {
    it.scoped(`a payload that is ${how} is a miss, and no exception`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const { run } = yield* startProcess(server)
        yield* run(Cache.set("k", { name: "Ada" }))
        const [stored] = yield* server.getMany(["larder:k"])
        yield* server.set("larder:k", corrupt(String(stored)), Infinity)
        expect(yield* run(Cache.get("k"))).toEqual(Option.none())
        expect(yield* run(Cache.getOrCreate("k", Effect.succeed("new")))).toBe("new")
        expect(yield* run(Cache.get("k"))).toEqual(Option.some("new"))
      })
    )
  }
})

describe("taskiq-flow:", () => {
  it.scoped("clear deletes no lock of another cache", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const app = yield* startProcess(server, { prefix: "app" })
      const app2 = yield* startProcess(server, { prefix: "app2" })
      const { begun, create, open } = yield* heldLoad(makeRow())
      const rebuild = yield* Effect.fork(app2.run(Cache.getOrCreate("k", create)))
      yield* begun
      yield* app.run(Cache.set("k", 0))
      yield* app.run(Cache.clear)
      expect(Option.isSome(yield* server.holder("app2:k"))).toBe(true)
      yield* open
      expect(yield* rebuild).toBe(1)
      expect(yield* app2.run(Cache.get("k"))).toEqual(Option.some(1))
      expect(yield* app.run(Cache.get("k"))).toEqual(Option.none())
    })
  )
})
