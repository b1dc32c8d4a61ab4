/** One run of a creator serves all who ask while it runs, whatever comes of it. */
import { describe, expect, it } from "@effect/vitest"
import * as Array from "effect/Array"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as TestClock from "effect/TestClock"
import { Cache, MemoryBackend, MemoryCache } from "effect-larder"
import { advance, settleDown } from "../protocol/world.js"
import { counting, crowd, refusing, startProcess, tiers, yieldingAnywhere } from "./world.js"

const slowly = <A, E>(create: Effect.Effect<A, E>) => Effect.delay(create, "50 millis")

/** What a crowd gets once its creator has had its time. */
const crowdAfter = <A, E, R>(size: number, caller: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const callers = yield* Effect.fork(crowd(size, caller))
    yield* TestClock.adjust("50 millis")
    return yield* Fiber.join(callers)
  })

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("500 fibers on a cold key make one load", () =>
      Effect.gen(function* () {
        const user = counting(slowly(Effect.succeed("Ada")))
        const exits = yield* crowdAfter(500, Cache.getOrCreate("user", user.create))
        expect(exits).toEqual(Array.replicate(Exit.succeed("Ada"), 500))
        expect(user.runs).toBe(1)
        expect(yield* Cache.counters).toMatchObject({
          hits: 0,
          misses: 500,
          coalesced: 499,
          loads: 1,
          loadFailures: 0
        })
      }).pipe(Effect.provide(layer()))
    )

    it.live.prop(
      "20 fibers make one load, wherever they yield",
      [FastCheck.integer({ min: 1, max: 2 ** 31 - 2 })],
      ([seed]) =>
        Effect.gen(function* () {
          const user = counting(Effect.succeed("Ada"))
          const exits = yield* Effect.withScheduler(
            crowd(20, Cache.getOrCreate("user", user.create)),
            yieldingAnywhere(seed)
          )
          expect(exits).toEqual(Array.replicate(Exit.succeed("Ada"), 20))
          expect(user.runs).toBe(1)
        }).pipe(Effect.provide(layer())),
      { fastCheck: { numRuns: 40 } }
    )

    it.effect("500 fibers on an expired key make one load", () =>
      Effect.gen(function* () {
        yield* Cache.getOrCreate("user", Effect.succeed("old"), { ttl: "1 minute" })
        yield* TestClock.adjust("1 minute")
        const user = counting(slowly(Effect.succeed("new")))
        const exits = yield* crowdAfter(500, Cache.getOrCreate("user", user.create))
        expect(exits).toEqual(Array.replicate(Exit.succeed("new"), 500))
        expect(user.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("100 keys at once make 100 loads, in the time of one", () =>
      Effect.gen(function* () {
        let running = 0
        let most = 0
        const create = (key: number) =>
          Effect.suspend(() => {
            most = Math.max(most, ++running)
            return Effect.as(Effect.sleep("1 second"), key)
          }).pipe(Effect.ensuring(Effect.sync(() => running--)))
        const keys = Array.range(1, 100)
        const lookups = yield* Effect.timed(
          Effect.forEach(keys, (key) => Cache.getOrCreate(`k${key}`, create(key)), {
            concurrency: "unbounded"
          })
        ).pipe(Effect.fork)
        yield* settleDown
        yield* TestClock.adjust("1 second")
        const [elapsed, values] = yield* Fiber.join(lookups)
        expect(values).toEqual(keys)
        expect(Duration.toMillis(elapsed)).toBe(1_000)
        expect(most).toBe(100)
        expect(yield* Cache.counters).toMatchObject({ loads: 100, coalesced: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("who comes while the creator runs gets what it makes, when it is made", () =>
      Effect.gen(function* () {
        const user = counting(Effect.as(Effect.sleep("50 millis"), "Ada"))
        const first = yield* Effect.fork(Cache.getOrCreate("user", user.create))
        yield* TestClock.adjust("40 millis")
        const late = yield* Effect.fork(
          Effect.zip(Cache.getOrCreate("user", user.create), Clock.currentTimeMillis)
        )
        yield* TestClock.adjust("10 millis")
        expect(yield* Fiber.join(first)).toBe("Ada")
        expect(yield* Fiber.join(late)).toEqual(["Ada", 50])
        expect(user.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    for (const [what, create, exit] of [
      ["a failure", Effect.fail("no such user"), Exit.fail("no such user")],
      ["a failure that is undefined", Effect.fail(undefined), Exit.fail(undefined)],
      ["a failure that is null", Effect.fail(null), Exit.fail(null)],
      ["a failure that is 0", Effect.fail(0), Exit.fail(0)],
      ["a failure that is the empty string", Effect.fail(""), Exit.fail("")],
      ["a defect", Effect.die("bug"), Exit.die("bug")]
    ] as ReadonlyArray<[string, Effect.Effect<string, unknown>, Exit.Exit<string, unknown>]>) {
      it.effect(`${what} goes to all 500 callers, and nothing is kept of it`, () =>
        Effect.gen(function* () {
          const user = counting(slowly(create))
          const exits = yield* crowdAfter(500, Cache.getOrCreate("user", user.create))
          expect(exits).toEqual(Array.replicate(exit, 500))
          expect(user.runs).toBe(1)
          expect(yield* Cache.getOrCreate("user", Effect.succeed("Ada"))).toBe("Ada")
          expect(yield* Cache.counters).toMatchObject({ misses: 501, loads: 2, loadFailures: 1 })
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect("a creator that interrupts itself: all who wait get that exit", () =>
      Effect.gen(function* () {
        const user = counting(slowly(Effect.interrupt))
        const exits = yield* crowdAfter(500, Cache.getOrCreate("user", user.create))
        expect(exits.filter(Exit.isInterrupted)).toHaveLength(500)
        expect(user.runs).toBe(1)
        expect(yield* Cache.getOrCreate("user", Effect.succeed("Ada"))).toBe("Ada")
      }).pipe(Effect.provide(layer()))
    )

    for (const [how, ttl] of [
      ["literally", 0],
      ["as a function", () => 0]
    ] as const) {
      it.effect(`a ttl of zero, ${how}: shared by 500 fibers, and never stored`, () =>
        Effect.gen(function* () {
          const user = counting(slowly(Effect.succeed("Ada")))
          const lookup = Cache.getOrCreate("user", user.create, { ttl })
          expect(yield* crowdAfter(500, lookup)).toEqual(Array.replicate(Exit.succeed("Ada"), 500))
          expect(user.runs).toBe(1)
          expect(yield* Cache.stats).toMatchObject({ size: 0, misses: 500, loads: 1 })
          yield* crowdAfter(500, lookup)
          expect(user.runs).toBe(2)
        }).pipe(Effect.provide(layer()))
      )
    }
  })
}

for (const { layer, name } of refusing) {
  it.effect(`on ${name}, a value that is refused is shared by 500 fibers, and not stored`, () =>
    Effect.gen(function* () {
      const value = { at: new Date(0) }
      const user = counting(slowly(Effect.succeed(value)))
      const exits = yield* crowdAfter(500, Cache.getOrCreate("user", user.create))
      expect(exits.filter((exit) => Exit.isSuccess(exit) && exit.value === value)).toHaveLength(500)
      expect(user.runs).toBe(1)
      expect(yield* Cache.stats).toMatchObject({ size: 0, loads: 1, encodeErrors: 1 })
    }).pipe(Effect.provide(layer()))
  )
}

describe("in two processes over one backend", () => {
  const two = Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    return [yield* startProcess(backend), yield* startProcess(backend)] as const
  })

  it.scoped("250 fibers each on a cold key make one load", () =>
    Effect.gen(function* () {
      const [here, there] = yield* two
      const user = counting(slowly(Effect.succeed("Ada")))
      const lookup = Cache.getOrCreate("user", user.create)
      const callers = yield* Effect.fork(
        Effect.all([here(crowd(250, lookup)), there(crowd(250, lookup))], { concurrency: 2 })
      )
      yield* advance("500 millis")
      const exits = (yield* Fiber.join(callers)).flat()
      expect(exits).toEqual(Array.replicate(Exit.succeed("Ada"), 500))
      expect(user.runs).toBe(1)
      const counted = yield* Effect.all([here(Cache.counters), there(Cache.counters)])
      expect(counted.map(({ loads, waits }) => [loads, waits])).toEqual([
        [1, 0],
        [0, 1]
      ])
    })
  )

  it.scoped("a creator that fails runs at most once in each", () =>
    Effect.gen(function* () {
      const [here, there] = yield* two
      const user = counting(slowly(Effect.fail("no such user")))
      const lookup = Cache.getOrCreate("user", user.create)
      const callers = yield* Effect.fork(
        Effect.all([here(crowd(250, lookup)), there(crowd(250, lookup))], { concurrency: 2 })
      )
      yield* advance("500 millis")
      const exits = (yield* Fiber.join(callers)).flat()
      expect(exits).toEqual(Array.replicate(Exit.fail("no such user"), 500))
      expect(user.runs).toBeLessThanOrEqual(2)
    })
  )
})

describe("runSync", () => {
  // Built beforehand: what builds its layer in the same breath cannot be synchronous.
  const start = async () => {
    const cache = ManagedRuntime.make(MemoryCache.layer({ beta: 0 }))
    await cache.runtime()
    return cache
  }

  it("completes on a miss with a synchronous creator, and on a hit", async () => {
    const cache = await start()
    const user = counting(Effect.succeed("Ada"))
    const lookup = Cache.getOrCreate("user", user.create)
    expect([cache.runSync(lookup), cache.runSync(lookup)]).toEqual(["Ada", "Ada"])
    expect(user.runs).toBe(1)
    await cache.dispose()
  })

  it("gives the failure of a synchronous creator", async () => {
    const cache = await start()
    const failing = Cache.getOrCreate("user", Effect.fail("no such user"))
    expect(cache.runSync(Effect.exit(failing))).toEqual(Exit.fail("no such user"))
    await cache.dispose()
  })

  it("throws on an asynchronous creator, and the flight runs on", async () => {
    const cache = await start()
    const gate = cache.runSync(Deferred.make<string>())
    const user = counting(Deferred.await(gate))
    expect(() => cache.runSync(Cache.getOrCreate("user", user.create))).toThrow(/async/i)
    expect(user.runs).toBe(1)
    const joined = cache.runPromise(Cache.getOrCreate("user", Effect.die("another flight")))
    cache.runSync(Deferred.succeed(gate, "Ada"))
    expect(await joined).toBe("Ada")
    expect(cache.runSync(Cache.get("user"))).toMatchObject({ value: "Ada" })
    expect(user.runs).toBe(1)
    await cache.dispose()
  })
})
