/** Fresh, stale, expired: under the test clock alone, but for the wall clock's own tests. */
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { Cache, type GetOrCreateOptions, MemoryBackend } from "effect-larder"
import { settleDown } from "../protocol/world.js"
import { counting, keys, startProcess, tiers } from "./world.js"

type Options = GetOrCreateOptions<string>

const old = (options: Options) => Cache.getOrCreate("k", Effect.succeed("old"), options)
const renewed = (options?: Options) => Cache.getOrCreate("k", Effect.succeed("new"), options)

/** A creator that never ends: who gets a value has not waited for it. */
const endless = (options: Options) => Cache.getOrCreate("k", Effect.never, options)

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("an entry is fresh until its ttl is over, to the millisecond", () =>
      Effect.gen(function* () {
        yield* old({ ttl: "1 minute" })
        yield* TestClock.adjust(59_999)
        expect(yield* renewed({ ttl: "1 minute" })).toBe("old")
        yield* TestClock.adjust(1)
        expect(yield* renewed({ ttl: "1 minute" })).toBe("new")
        expect(yield* Cache.counters).toMatchObject({ hits: 1, misses: 2, stale: 0, loads: 2 })
      }).pipe(Effect.provide(layer()))
    )

    for (const [which, layerTtl, millis] of [
      ["an hour by default", undefined, 3_600_000],
      ["what the layer says", "2 minutes", 120_000]
    ] as const) {
      it.effect(`the ttl is ${which}, for values created and values set`, () =>
        Effect.gen(function* () {
          yield* Cache.getOrCreate("created", Effect.succeed(1))
          yield* Cache.set("set", 1)
          yield* TestClock.adjust(millis - 1)
          expect(yield* keys).toEqual(["created", "set"])
          yield* TestClock.adjust(1)
          expect(yield* keys).toEqual([])
        }).pipe(Effect.provide(layer({ ttl: layerTtl })))
      )
    }

    it.effect("a ttl may be a function of the value", () =>
      Effect.gen(function* () {
        const ttl = (value: string) => (value === "short" ? "1 second" : "1 minute")
        yield* Cache.getOrCreate("a", Effect.succeed("short"), { ttl })
        yield* Cache.getOrCreate("b", Effect.succeed("long"), { ttl })
        yield* TestClock.adjust("1 second")
        expect(yield* keys).toEqual(["b"])
      }).pipe(Effect.provide(layer()))
    )

    for (const [what, ttl, life] of [
      ["below a millisecond", Duration.micros(500n), 1],
      ["below a second", "0.1 seconds", 100],
      ["above 2^31 milliseconds", "30 days", 2_592_000_000]
    ] as ReadonlyArray<[string, Duration.DurationInput, number]>) {
      it.effect(`a ttl ${what} holds`, () =>
        Effect.gen(function* () {
          yield* old({ ttl })
          yield* TestClock.adjust(life - 1)
          expect(yield* Cache.get("k")).toEqual(Option.some("old"))
          yield* TestClock.adjust(1)
          expect(yield* Cache.get("k")).toEqual(Option.none())
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect("an infinite ttl is for good", () =>
      Effect.gen(function* () {
        yield* old({ ttl: Duration.infinity })
        yield* TestClock.adjust("365000 days")
        expect(yield* renewed({ beta: 1e9 })).toBe("old")
        const info = yield* Effect.flatten(Cache.inspect("k"))
        expect(info.timeToLive).toEqual(Duration.infinity)
      }).pipe(Effect.provide(layer()))
    )

    describe("stale while it is revalidated", () => {
      const window: Options = { ttl: "1 minute", staleWhileRevalidate: "10 seconds" }

      it.effect("a stale value is served at once, and rebuilt once, behind", () =>
        Effect.gen(function* () {
          yield* old(window)
          yield* TestClock.adjust("65 seconds")
          const next = counting(Effect.delay(Effect.succeed("new"), "1 second"))
          const lookup = Cache.getOrCreate("k", next.create, window)
          expect(yield* Effect.replicateEffect(lookup, 50)).toEqual(Array(50).fill("old"))
          yield* TestClock.adjust("1 second")
          expect(yield* endless(window)).toBe("new")
          expect(next.runs).toBe(1)
          expect(yield* Cache.counters).toMatchObject({ hits: 1, misses: 1, stale: 50, loads: 2 })
        }).pipe(Effect.provide(layer()))
      )

      it.effect("after the window it is expired: callers wait", () =>
        Effect.gen(function* () {
          yield* old(window)
          yield* TestClock.adjust("69999 millis")
          expect(yield* endless(window)).toBe("old")
          yield* Cache.invalidate("k")
          yield* old(window)
          yield* TestClock.adjust("70 seconds")
          expect(yield* renewed(window)).toBe("new")
        }).pipe(Effect.provide(layer()))
      )

      it.effect("a reader may shorten the writer's window, and cannot lengthen it", () =>
        Effect.gen(function* () {
          const reading = (staleWhileRevalidate: Options["staleWhileRevalidate"]) =>
            Cache.getOrCreate("k", Effect.never, { ...window, staleWhileRevalidate })
          yield* old(window)
          yield* TestClock.adjust("65 seconds")
          expect(yield* reading("1 hour")).toBe("old")
          yield* settleDown
          expect(yield* Cache.counters).toMatchObject({ stale: 1, loads: 2 })
          const short = yield* Effect.fork(reading("5 seconds"))
          const none = yield* Effect.fork(reading(undefined))
          yield* TestClock.adjust("5 seconds")
          const long = yield* Effect.fork(reading("1 hour"))
          yield* TestClock.adjust("1 hour")
          for (const waiting of [short, none, long]) {
            expect(yield* Fiber.poll(waiting)).toEqual(Option.none())
          }
        }).pipe(Effect.provide(layer()))
      )

      it.effect("a rebuild behind that fails leaves the stale value until its window ends", () =>
        Effect.gen(function* () {
          yield* old(window)
          yield* TestClock.adjust("65 seconds")
          const failing = Cache.getOrCreate("k", Effect.die("bug"), window)
          expect(yield* failing).toBe("old")
          yield* TestClock.adjust("1 second")
          expect(yield* failing).toBe("old")
          yield* TestClock.adjust("1 second")
          expect(yield* Cache.counters).toMatchObject({ stale: 2, loads: 3, loadFailures: 2 })
        }).pipe(Effect.provide(layer()))
      )

      it.effect("with `background: false` stale values are not served", () =>
        Effect.gen(function* () {
          yield* old(window)
          yield* TestClock.adjust("65 seconds")
          expect(yield* renewed({ ...window, background: false })).toBe("new")
          expect(yield* Cache.counters).toMatchObject({ stale: 0, misses: 2 })
        }).pipe(Effect.provide(layer()))
      )
    })
  })

  describe(`on ${name}, with the wall clock stubbed`, () => {
    afterEach(() => {
      vi.restoreAllMocks()
    })

    for (const [which, hours] of [
      ["forward", 1],
      ["back", -1]
    ] as const) {
      it.live(`an hour ${which} changes nothing`, () =>
        Effect.gen(function* () {
          const wall = Date.now.bind(Date)
          yield* old({ ttl: "30 minutes" })
          yield* Cache.getOrCreate("short", Effect.succeed("old"), { ttl: "20 millis" })
          vi.spyOn(Date, "now").mockImplementation(() => wall() + hours * 3_600_000)
          expect(yield* renewed()).toBe("old")
          yield* Effect.sleep("25 millis")
          expect(yield* Cache.getOrCreate("short", Effect.succeed("new"))).toBe("new")
          expect(yield* Cache.getOrCreate("short", Effect.succeed("newer"))).toBe("new")
        }).pipe(Effect.provide(layer()))
      )
    }
  })
}

describe("with a server's clock that differs from ours", () => {
  for (const [which, clockOffset] of [
    ["an hour ahead", 3_600_000],
    ["an hour behind", -3_600_000]
  ] as const) {
    it.scoped(`by being ${which}, entries are fresh and stale as long as elsewhere`, () =>
      Effect.gen(function* () {
        yield* TestClock.adjust("2 hours")
        const backend = yield* MemoryBackend.make({ clockOffset })
        const here = yield* startProcess(backend)
        const there = yield* startProcess(backend)
        const window: Options = { ttl: "1 minute", staleWhileRevalidate: "10 seconds" }
        yield* here(old(window))
        yield* TestClock.adjust("59 seconds")
        expect(yield* there(renewed(window))).toBe("old")
        const info = yield* Effect.flatten(there(Cache.inspect("k")))
        expect(info).toMatchObject({ freshness: "fresh", age: Duration.seconds(59) })
        expect(info.timeToLive).toEqual(Duration.seconds(1))
        yield* TestClock.adjust("1 second")
        expect(yield* there(Cache.get("k"))).toEqual(Option.none())
        expect(yield* there(endless(window))).toBe("old")
        expect(yield* there(Cache.counters)).toMatchObject({ hits: 1, misses: 1, stale: 1 })
        yield* TestClock.adjust("10 seconds")
        expect(yield* here(Cache.stats)).toMatchObject({ size: 0 })
      })
    )
  }
})

describe("with the wall clock of one process stubbed", () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  it.live("a lease is not over because that clock says so", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const backend = yield* MemoryBackend.make()
        const here = yield* startProcess(backend)
        const there = yield* startProcess(backend)
        const gate = yield* Deferred.make<string>()
        const first = yield* Effect.fork(here(Cache.getOrCreate("k", Deferred.await(gate))))
        yield* settleDown
        const wall = Date.now.bind(Date)
        vi.spyOn(Date, "now").mockImplementation(() => wall() + 3_600_000)
        const second = yield* Effect.fork(
          there(Cache.getOrCreate("k", Effect.die("a second load")))
        )
        yield* settleDown
        expect(yield* Fiber.poll(second)).toEqual(Option.none())
        yield* Deferred.succeed(gate, "value")
        expect([yield* Fiber.join(first), yield* Fiber.join(second)]).toEqual(["value", "value"])
      })
    )
  )
})
