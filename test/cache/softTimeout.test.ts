/** With `softTimeout` and a stale value at hand nobody waits for ever: the rebuild goes on behind. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as List from "effect/List"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TRef from "effect/TRef"
import { Cache, type CacheEvent, CacheRegion, MemoryBackend } from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import * as Core from "../../src/core/cache.js"
import { settings } from "../../src/core/settings.js"
import { advance, settleDown } from "../protocol/world.js"
import { counting, crowd, memory, startProcess, tiers, yieldingAnywhere } from "./world.js"

const life = { ttl: "1 minute", staleIfError: "1 hour" } as const
const soft = { ...life, softTimeout: "100 millis" } as const

/** An entry that has been stale for a second. */
const staleAt = (key: string) =>
  Effect.zipRight(
    Cache.getOrCreate(key, Effect.succeed("old"), life),
    TestClock.adjust("61 seconds")
  )
const stale = staleAt("k")

/** A creator that ends when the test says so; what became of it meanwhile. */
const held = Effect.gen(function* () {
  const gate = yield* Deferred.make<string, string>()
  const seen = { runs: 0, interrupted: 0 }
  const create = Effect.suspend(() => {
    seen.runs++
    return Deferred.await(gate)
  }).pipe(Effect.onInterrupt(() => Effect.sync(() => seen.interrupted++)))
  return { create, gate, seen }
})

const fresh = Effect.zipRight(settleDown, Cache.get("k"))

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("the stale value is served after that long, and the rebuild is stored", () =>
      Effect.gen(function* () {
        yield* stale
        const creator = counting(Effect.delay(Effect.succeed("new"), "1 second"))
        const callers = yield* Effect.fork(crowd(100, Cache.getOrCreate("k", creator.create, soft)))
        yield* advance("99 millis")
        expect(yield* Fiber.poll(callers)).toEqual(Option.none())
        yield* advance("1 millis")
        expect(yield* callers).toEqual(Array(100).fill(Exit.succeed("old")))
        expect(yield* fresh).toEqual(Option.none())
        yield* advance("900 millis")
        expect(yield* fresh).toEqual(Option.some("new"))
        expect(creator.runs).toBe(1)
        expect(yield* Cache.counters).toMatchObject({ hits: 1, misses: 2, stale: 100, loads: 2 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a rebuild that is in time is waited for", () =>
      Effect.gen(function* () {
        yield* stale
        const create = Effect.delay(Effect.succeed("new"), "99 millis")
        const caller = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
        yield* advance("1 second")
        expect(yield* caller).toBe("new")
        expect(yield* Cache.counters).toMatchObject({ misses: 2, stale: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a rebuild that fails in time is stood in for at once", () =>
      Effect.gen(function* () {
        yield* stale
        expect(yield* Cache.getOrCreate("k", Effect.fail("down"), soft)).toBe("old")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("result and soft timeout at one instant: one result, counted once, one load", () =>
      Effect.gen(function* () {
        yield* stale
        const creator = counting(Effect.delay(Effect.succeed("new"), "100 millis"))
        const callers = yield* Effect.fork(crowd(20, Cache.getOrCreate("k", creator.create, soft)))
        yield* advance("100 millis")
        for (const exit of yield* callers) {
          expect(Exit.isSuccess(exit) && ["old", "new"].includes(exit.value)).toBe(true)
        }
        expect(yield* fresh).toEqual(Option.some("new"))
        const { hits, loads, misses, stale: served } = yield* Cache.counters
        expect([creator.runs, loads, hits, misses + served]).toEqual([1, 2, 1, 21])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("zero: served at once, and rebuilt behind", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, gate } = yield* held
        expect(yield* Cache.getOrCreate("k", create, { ...life, softTimeout: 0 })).toBe("old")
        yield* Deferred.succeed(gate, "new")
        expect(yield* fresh).toEqual(Option.some("new"))
      }).pipe(Effect.provide(layer()))
    )

    for (const [what, prepare, options] of [
      ["nothing cached", Effect.void, soft],
      ["nothing that may be served after an error", stale, { ...soft, staleIfError: 0 }],
      ["a window that is over before", stale, { ...soft, staleIfError: "1050 millis" }],
      ["`refresh: true`", stale, { ...soft, refresh: true }],
      ["`background: false`", stale, { ...soft, background: false }],
      ["a soft timeout without end", stale, { ...soft, softTimeout: Infinity }]
    ] as const) {
      it.effect(`with ${what} a caller waits for its creator`, () =>
        Effect.gen(function* () {
          yield* prepare
          const create = Effect.delay(Effect.succeed("new"), "10 seconds")
          const caller = yield* Effect.fork(Cache.getOrCreate("k", create, options))
          yield* advance("9 seconds")
          expect(yield* Fiber.poll(caller)).toEqual(Option.none())
          yield* advance("1 second")
          expect(yield* caller).toBe("new")
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect("who waits without one is not hurried by others, and gets the new value", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, gate, seen } = yield* held
        const hasty = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
        yield* settleDown
        const patient = yield* Effect.fork(Cache.getOrCreate("k", create, life))
        yield* advance("1 second")
        expect(yield* hasty).toBe("old")
        yield* Deferred.succeed(gate, "new")
        expect(yield* patient).toBe("new")
        expect(seen.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    // A leads and B, who joined, has gone with its value. A is interrupted: the last one
    // to wait. B was told that the rebuild goes on.
    it.effect("the leader is interrupted when a hasty caller has gone: the rebuild goes on", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, gate, seen } = yield* held
        const a = yield* Effect.fork(Cache.getOrCreate("k", create, life))
        yield* settleDown
        const b = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
        yield* advance("100 millis")
        expect(yield* b).toBe("old")
        yield* Fiber.interrupt(a)
        yield* Deferred.succeed(gate, "new")
        expect(yield* fresh).toEqual(Option.some("new"))
        expect(seen).toEqual({ runs: 1, interrupted: 0 })
      }).pipe(Effect.provide(layer()))
    )

    // The other way round: A has been interrupted, B is the last one to wait, and goes.
    for (const [last, hastyIsLast] of [
      ["is interrupted", false],
      ["goes with its value", true]
    ] as const) {
      it.effect(`whose creator lets nothing run behind: it ends when the last one ${last}`, () =>
        Effect.gen(function* () {
          yield* stale
          const { create, seen } = yield* held
          const inLine = Cache.getOrCreate("k", create, { ...life, background: false })
          const leader = yield* Effect.fork(inLine)
          yield* settleDown
          const hasty = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
          yield* settleDown
          if (hastyIsLast) yield* Fiber.interrupt(leader)
          yield* advance("100 millis")
          expect(yield* hasty).toBe("old")
          if (!hastyIsLast) yield* Fiber.interrupt(leader)
          yield* settleDown
          expect(seen).toEqual({ runs: 1, interrupted: 1 })
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect("the last one to wait goes with its value: the rebuild goes on", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, gate, seen } = yield* held
        const a = yield* Effect.fork(Cache.getOrCreate("k", create, life))
        yield* settleDown
        const b = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
        yield* settleDown
        yield* Fiber.interrupt(a)
        yield* advance("100 millis")
        expect(yield* b).toBe("old")
        yield* Deferred.succeed(gate, "new")
        expect(yield* fresh).toEqual(Option.some("new"))
        expect(seen).toEqual({ runs: 1, interrupted: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("who joins what goes on behind, and leaves, does not end it", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, gate, seen } = yield* held
        const hasty = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
        yield* advance("100 millis")
        expect(yield* hasty).toBe("old")
        const joiner = yield* Effect.fork(Cache.getOrCreate("k", create, life))
        yield* settleDown
        yield* Fiber.interrupt(joiner)
        yield* Deferred.succeed(gate, "new")
        expect(yield* fresh).toEqual(Option.some("new"))
        expect(seen).toEqual({ runs: 1, interrupted: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a caller that is interrupted before is given nothing, and ends the rebuild", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, seen } = yield* held
        const caller = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
        yield* advance("50 millis")
        expect(Exit.isInterrupted(yield* Fiber.interrupt(caller))).toBe(true)
        expect(seen).toEqual({ runs: 1, interrupted: 1 })
        expect(yield* Cache.counters).toMatchObject({ misses: 2, stale: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a caller that cannot be interrupted is served in time, too", () =>
      Effect.gen(function* () {
        yield* stale
        const { create } = yield* held
        const caller = yield* Effect.fork(
          Effect.uninterruptible(Cache.getOrCreate("k", create, soft))
        )
        yield* advance("100 millis")
        expect(Option.isSome(yield* Fiber.poll(caller))).toBe(true)
        expect(yield* caller).toBe("old")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a caller that cannot be interrupted, and is, does not leave before", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, seen } = yield* held
        const served: Array<unknown> = []
        const caller = Cache.getOrCreate("k", create, soft).pipe(
          Effect.exit,
          Effect.map((exit) => served.push(exit)),
          Effect.uninterruptible
        )
        const running = yield* Effect.fork(caller)
        yield* settleDown
        yield* Fiber.interruptFork(running)
        yield* advance("99 millis")
        expect(served).toEqual([])
        yield* advance("1 millis")
        expect(served).toEqual([Exit.succeed("old")])
        expect(seen).toEqual({ runs: 1, interrupted: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.scoped("closing the cache ends what goes on behind", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(layer(), scope)
        const { create, seen } = yield* held
        const caller = yield* Effect.zipRight(stale, Cache.getOrCreate("k", create, soft)).pipe(
          Effect.provide(context),
          Effect.fork
        )
        yield* settleDown
        yield* advance("100 millis")
        expect(yield* caller).toBe("old")
        yield* Scope.close(scope, Exit.void)
        expect(seen).toEqual({ runs: 1, interrupted: 1 })
      })
    )

    it.scoped("what goes on behind and fails is told, harms nobody, and is tried again", () =>
      Effect.gen(function* () {
        yield* stale
        const events: Array<CacheEvent> = []
        yield* Effect.forkScoped(
          Stream.runForEach(Cache.events, (event) => Effect.sync(() => events.push(event)))
        )
        const { create, gate, seen } = yield* held
        const caller = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
        yield* advance("100 millis")
        expect(yield* caller).toBe("old")
        yield* Deferred.fail(gate, "down")
        yield* settleDown
        expect(events).toEqual([{ _tag: "refreshFailed", key: "k" }])
        expect(yield* Cache.getOrCreate("k", create, soft)).toBe("old")
        expect(seen.runs).toBe(2)
        expect(yield* Cache.counters).toMatchObject({ stale: 2, misses: 1, loadFailures: 2 })
      }).pipe(Effect.provide(layer()))
    )

    // Whoever came before the invalidation has read what stood there; whoever comes after
    // it must not see that.
    it.effect(
      "an invalidation during the rebuild: who came before may be served, and nobody else",
      () =>
        Effect.gen(function* () {
          yield* stale
          const { create, gate } = yield* held
          const before = yield* Effect.fork(Cache.getOrCreate("k", create, soft))
          yield* advance("50 millis")
          expect(yield* Cache.invalidate("k")).toBe(true)
          const after = yield* Effect.fork(Cache.getOrCreate("k", Effect.succeed("newer"), soft))
          yield* advance("1 second")
          expect(yield* before).toBe("old")
          expect(yield* after).toBe("newer")
          yield* Deferred.succeed(gate, "overtaken")
          expect(yield* fresh).toEqual(Option.some("newer"))
        }).pipe(Effect.provide(layer()))
    )

    // b goes on behind when a's creator has waited long enough, and asks for a: a does not
    // wait for b any more, so it is no cycle.
    it.effect("what goes on behind may wait for the one that has left it", () =>
      Effect.gen(function* () {
        yield* staleAt("b")
        const b: Effect.Effect<string, never, Cache> = Effect.map(
          Effect.delay(Cache.getOrCreate("a", Effect.die("a second load")), "200 millis"),
          (value) => `new, over ${value}`
        )
        const outer = counting(
          Effect.zipLeft(Cache.getOrCreate("b", b, soft), Effect.sleep("1 second"))
        )
        const caller = yield* Effect.fork(Cache.getOrCreate("a", outer.create))
        yield* advance("2 seconds")
        expect(yield* caller).toBe("old")
        yield* settleDown
        expect(yield* Cache.get("b")).toEqual(Option.some("new, over old"))
        expect(outer.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("in a region; a lookup's own wins", () =>
      Effect.gen(function* () {
        const region = CacheRegion.make({ name: "r", value: Schema.String, ...soft })
        yield* region.getOrCreate("k", Effect.succeed("old"))
        yield* TestClock.adjust("61 seconds")
        const first = yield* Effect.fork(region.getOrCreate("k", Effect.never))
        const second = yield* Effect.fork(
          region.getOrCreate("k", Effect.never, { softTimeout: "200 millis" })
        )
        yield* advance("100 millis")
        expect(yield* first).toBe("old")
        expect(yield* Fiber.poll(second)).toEqual(Option.none())
        yield* advance("100 millis")
        expect(yield* second).toBe("old")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a negative one is a defect, and nobody waits in its place", () =>
      Effect.gen(function* () {
        yield* stale
        const { create, seen } = yield* held
        const leader = yield* Effect.fork(Cache.getOrCreate("k", create, life))
        yield* settleDown
        const joiner = Cache.getOrCreate("k", create, { ...life, softTimeout: -1 })
        expect(Cause.isDie(yield* Effect.flip(Effect.sandbox(joiner)))).toBe(true)
        yield* Fiber.interrupt(leader)
        expect(seen).toEqual({ runs: 1, interrupted: 1 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a negative one is a defect, though nothing is stale", () =>
      Effect.gen(function* () {
        const lookup = Cache.getOrCreate("k", Effect.succeed(1), { softTimeout: -1 })
        const cause = yield* Effect.flip(Effect.sandbox(lookup))
        expect(String(Cause.squash(cause))).toContain("softTimeout is -1; allowed: a duration")
      }).pipe(Effect.provide(layer()))
    )
  })
}

it("with a creator that is synchronous, `runSync` works", async () => {
  const cache = ManagedRuntime.make(memory.layer())
  await cache.runtime()
  const lookup = (value: string) =>
    Cache.getOrCreate("k", Effect.succeed(value), { ...soft, ttl: "1 nanos" })
  expect([cache.runSync(lookup("old")), cache.runSync(lookup("new"))]).toEqual(["old", "new"])
  await cache.dispose()
})

it.scoped("who has gone with its value is not kept by a creator that takes its time", () =>
  Effect.gen(function* () {
    const path = yield* Core.makePath({ capacity: 10 }, settings({ beta: 0 }))
    const cache = yield* Core.serve(path)
    yield* Effect.gen(function* () {
      yield* stale
      yield* Effect.fork(Cache.getOrCreate("k", Effect.never, life))
      yield* settleDown
      for (let wave = 0; wave < 10; wave++) {
        const callers = yield* Effect.fork(crowd(10, Cache.getOrCreate("k", Effect.never, soft)))
        yield* advance("100 millis")
        yield* callers
      }
    }).pipe(Effect.provideService(Cache, cache))
    const rebuild = path.rebuilds.get("k")
    const { waiting } = yield* TRef.get(rebuild?.crew as NonNullable<typeof rebuild>["crew"] & {})
    expect([waiting, rebuild?.waiters?.length, rebuild?.arrived.length]).toEqual([1, 1, 0])
  })
)

for (const [what, tiers] of [
  ["memory", Effect.succeed({ capacity: 10 })],
  ["a shared backend", Effect.map(MemoryBackend.make(), (backend) => ({ backend }))]
] as const) {
  // Twenty callers: some go with what they have, some wait, some of both are interrupted.
  it.effect.prop(
    `on ${what} each is given one result, and nothing is left, wherever fibers yield`,
    [FastCheck.integer({ min: 1, max: 2 ** 31 - 2 }), FastCheck.boolean()],
    ([seed, fails]) =>
      Effect.gen(function* () {
        const path = yield* Core.makePath(yield* tiers, settings({ beta: 0 }))
        const cache = yield* Core.serve(path)
        const made = fails ? Effect.fail("down") : Effect.succeed("new")
        const create = Effect.zipRight(Effect.repeatN(Effect.yieldNow(), seed % 30), made)
        const caller = (nth: number): Effect.Effect<unknown, string, Cache> => {
          const options = nth % 2 === 0 ? { ...life, softTimeout: 0 } : life
          const lookup = Cache.getOrCreate("k", create, options)
          return nth % 4 < 2 ? lookup : Effect.flatMap(Effect.fork(lookup), Fiber.interrupt)
        }
        yield* Effect.provideService(stale, Cache, cache)
        const calling = Effect.gen(function* () {
          const exits = yield* Effect.forEach(
            Array.from({ length: 20 }).keys(),
            (nth) => Effect.exit(caller(nth)),
            { concurrency: "unbounded" }
          )
          return [exits, yield* Cache.counters] as const
        })
        const [exits, { hits, misses, stale: served }] = yield* calling.pipe(
          Effect.provideService(Cache, cache),
          Effect.withScheduler(yieldingAnywhere(seed))
        )
        const given = exits.flatMap((exit, nth) => (nth % 4 < 2 ? [exit] : []))
        const allowed = ["old", ...(fails ? [] : ["new"])].map((value) => Exit.succeed(value))
        for (const exit of given) expect(allowed).toContainEqual(exit)
        expect(hits + misses + served).toBeGreaterThanOrEqual(1 + given.length)
        expect(hits + misses + served).toBeLessThanOrEqual(1 + exits.length)
        yield* Effect.repeat(Effect.yieldNow(), { until: () => path.rebuilds.size === 0 })
        expect(path.tally.loads).toBeGreaterThan(1)
      }).pipe(Effect.scoped),
    { fastCheck: { numRuns: 40 } }
  )
}

describe("while another process's creator runs", () => {
  /** It does until `free`; here something stale is at hand. */
  const start = Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const controlled = yield* ControlledBackend.make(backend)
    const path = yield* Core.makePath({ backend: controlled.backend }, settings({ beta: 0 }))
    const service = yield* Core.serve(path)
    const here = Effect.provideService(Cache, service)
    const there = yield* startProcess(backend)
    yield* there(stale)
    const { create, gate } = yield* held
    yield* Effect.fork(there(Cache.getOrCreate("k", create, life)))
    yield* settleDown
    return { ...controlled, path, here, there, gate }
  })

  it.scoped("a caller waits no longer either, and the value comes behind", () =>
    Effect.gen(function* () {
      const { gate, here, path } = yield* start
      const creator = counting(Effect.succeed("a second load"))
      const lookup = here(Cache.getOrCreate("k", creator.create, soft))
      const caller = yield* Effect.fork(lookup)
      yield* advance("100 millis")
      expect(yield* caller).toBe("old")
      expect(path.rebuilds.size).toBe(1)
      yield* Deferred.succeed(gate, "new")
      yield* settleDown
      expect(path.rebuilds.size).toBe(0)
      expect(yield* lookup).toBe("new")
      expect(creator.runs).toBe(0)
      expect(yield* here(Cache.counters)).toMatchObject({ stale: 1, hits: 1, waits: 1, loads: 0 })
    })
  )

  it.scoped("who leads and goes hands over to one who waits", () =>
    Effect.gen(function* () {
      const { gate, here } = yield* start
      const [first, second] = [
        counting(Effect.succeed("first")),
        counting(Effect.succeed("second"))
      ]
      const hasty = yield* Effect.fork(here(Cache.getOrCreate("k", first.create, soft)))
      yield* settleDown
      const patient = yield* Effect.fork(here(Cache.getOrCreate("k", second.create, life)))
      yield* advance("100 millis")
      expect(yield* hasty).toBe("old")
      yield* Deferred.fail(gate, "down")
      yield* advance("400 millis")
      expect(yield* patient).toBe("second")
      expect([first.runs, second.runs]).toEqual([0, 1])
    })
  )

  it.scoped("who led and has gone does not lead if another waits by then", () =>
    Effect.gen(function* () {
      const { gate, here } = yield* start
      const creator = counting(Effect.succeed("first"))
      const hasty = yield* Effect.fork(here(Cache.getOrCreate("k", creator.create, soft)))
      yield* advance("100 millis")
      expect(yield* hasty).toBe("old")
      const later = yield* Effect.fork(here(Cache.getOrCreate("k", Effect.succeed("later"), life)))
      yield* settleDown
      yield* Deferred.fail(gate, "down")
      yield* advance("400 millis")
      expect(yield* later).toBe("later")
      expect(creator.runs).toBe(0)
    })
  )

  it.scoped("with nobody else to lead, its creator runs behind", () =>
    Effect.gen(function* () {
      const { gate, here } = yield* start
      const creator = counting(Effect.succeed("new"))
      const caller = yield* Effect.fork(here(Cache.getOrCreate("k", creator.create, soft)))
      yield* advance("100 millis")
      expect(yield* caller).toBe("old")
      yield* Deferred.fail(gate, "down")
      yield* advance("400 millis")
      expect(yield* here(Cache.get("k"))).toEqual(Option.some("new"))
      expect(creator.runs).toBe(1)
    })
  )

  it.scoped("a thousand who have gone meanwhile are not kept", () =>
    Effect.gen(function* () {
      const { here, path } = yield* start
      yield* Effect.fork(here(Cache.getOrCreate("k", Effect.never, life)))
      yield* settleDown
      for (let wave = 0; wave < 10; wave++) {
        const lookup = here(Cache.getOrCreate("k", Effect.never, { ...life, softTimeout: 10 }))
        const callers = yield* Effect.fork(crowd(100, lookup))
        yield* advance("10 millis")
        yield* callers
      }
      const crew = path.rebuilds.get("k")?.crew
      const { heirs, waiting } = yield* TRef.get(crew as NonNullable<typeof crew>)
      expect([waiting, List.size(heirs) <= 20]).toEqual([1, true])
    })
  )
})

// B has read what is stale, and waits for A's creator, which began before B came. The key
// is invalidated and set to what expires at once; A's commit is refused, and B goes round.
// It reads again something stale, and waits again: not as long as if it came now.
it.scoped("who goes round has waited since its first wait", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const [here, there] = [yield* startProcess(backend), yield* startProcess(backend)]
    yield* there(stale)
    const { create, gate } = yield* held
    yield* Effect.fork(here(Cache.getOrCreate("k", create, life)))
    yield* settleDown
    const options = { ...life, softTimeout: "10 seconds" } as const
    const b = yield* Effect.fork(here(Cache.getOrCreate("k", Effect.never, options)))
    yield* advance("1 second")
    const short = { ttl: "1 second", staleIfError: "1 hour" } as const
    yield* there(Cache.getOrCreate("k", Effect.succeed("newer"), { ...short, refresh: true }))
    yield* advance("3 seconds")
    yield* Deferred.succeed(gate, "overtaken")
    yield* advance("5900 millis")
    expect(yield* Fiber.poll(b)).toEqual(Option.none())
    yield* advance("100 millis")
    expect(yield* Fiber.join(b)).toBe("newer")
    expect(yield* here(Cache.counters)).toMatchObject({ stale: 1, misses: 1 })
  })
)
