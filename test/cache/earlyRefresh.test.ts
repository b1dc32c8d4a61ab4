/** A fresh entry is rebuilt before it expires, and no reader notices. */
import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { Cache, type CacheEvent, type GetOrCreateOptions } from "effect-larder"
import { settleDown } from "../protocol/world.js"
import { counting, crowd, tiers, withLog } from "./world.js"

/** Every reader fires as soon as it may. */
const eager: GetOrCreateOptions<string> = { ttl: "1 minute", beta: 1e9 }

const taking = <A, E>(time: Duration.DurationInput, create: Effect.Effect<A, E>) =>
  Effect.delay(create, time)

/** Runs an effect under a clock that goes on as far as it needs. */
const within = <A, E, R>(time: Duration.DurationInput, effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

const first = within(
  "100 millis",
  Cache.getOrCreate("k", taking("100 millis", Effect.succeed("old")), eager)
)

/** What the cache reports from here on. */
const listen = Effect.gen(function* () {
  const events: Array<CacheEvent> = []
  yield* Effect.fork(
    Stream.runForEach(Cache.events, (event) => Effect.sync(() => events.push(event)))
  )
  yield* settleDown
  return events
})

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("500 readers fire: one refresh, and nobody waits for it", () =>
      Effect.gen(function* () {
        yield* first
        const events = yield* listen
        yield* TestClock.adjust("100 millis")
        const next = counting(taking("1 second", Effect.succeed("new")))
        const lookup = Cache.getOrCreate("k", next.create, eager)
        // The clock stands still: whoever waited would not come back.
        const exits = yield* crowd(500, lookup)
        expect(exits.map((exit) => (exit._tag === "Success" ? exit.value : exit))).toEqual(
          Array(500).fill("old")
        )
        yield* TestClock.adjust("1 second")
        expect(yield* lookup).toBe("new")
        expect(next.runs).toBe(1)
        expect(yield* Cache.counters).toMatchObject({
          hits: 501,
          misses: 1,
          loads: 2,
          earlyRefreshes: 1
        })
        expect(events).toEqual([{ _tag: "earlyRefresh", key: "k" }])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("an entry younger than its creator's time is not refreshed", () =>
      Effect.gen(function* () {
        yield* first
        const next = counting(Effect.succeed("new"))
        const lookup = Cache.getOrCreate("k", next.create, eager)
        yield* TestClock.adjust(99)
        yield* lookup
        yield* settleDown
        expect(next.runs).toBe(0)
        yield* TestClock.adjust(1)
        yield* lookup
        yield* settleDown
        expect(next.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("the creator's time counts for at most a fifth of the ttl", () =>
      Effect.gen(function* () {
        const create = taking("1 minute", Effect.succeed("old"))
        yield* within("1 minute", Cache.getOrCreate("k", create, { ttl: "10 seconds" }))
        expect(yield* Effect.flatten(Cache.inspect("k"))).toMatchObject({
          delta: Duration.seconds(2)
        })
      }).pipe(Effect.provide(layer()))
    )

    for (const [what, store] of [
      ["beta 0 turns it off", first],
      ["what has been set is never refreshed early", Cache.set("k", "old")],
      ["what took no time is never refreshed early", Cache.getOrCreate("k", Effect.succeed("old"))]
    ] as const) {
      it.effect(what, () =>
        Effect.gen(function* () {
          yield* store
          yield* TestClock.adjust("59 seconds")
          const next = counting(Effect.succeed("new"))
          const beta = what.startsWith("beta 0") ? 0 : 1e9
          expect(yield* Cache.getOrCreate("k", next.create, { ttl: "1 minute", beta })).toBe("old")
          yield* settleDown
          expect(next.runs).toBe(0)
        }).pipe(Effect.provide(layer()))
      )
    }

    for (const [what, create, failures] of [
      ["fails", Effect.fail("down"), 1],
      ["dies", Effect.die(new Error("bug")), 1],
      ["interrupts itself", Effect.interrupt, 0]
    ] as ReadonlyArray<[string, Effect.Effect<string, string>, number]>) {
      it.effect(`a refresh that ${what} harms nobody`, () =>
        Effect.gen(function* () {
          const rejections: Array<unknown> = []
          const onRejection = (reason: unknown) => rejections.push(reason)
          process.on("unhandledRejection", onRejection)
          yield* first
          const events = yield* listen
          yield* TestClock.adjust("100 millis")
          const [values, lines] = yield* withLog(
            Effect.gen(function* () {
              const before = yield* Cache.getOrCreate("k", taking("1 second", create), eager)
              yield* TestClock.adjust("1 second")
              return [before, yield* Cache.getOrCreate("k", create, { beta: 0 })]
            })
          )
          expect(values).toEqual(["old", "old"])
          expect(lines).toEqual([])
          expect(yield* Cache.counters).toMatchObject({ loads: 2, loadFailures: failures })
          expect(events.map(({ _tag }) => _tag)).toEqual(["earlyRefresh", "refreshFailed"])
          yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
          process.off("unhandledRejection", onRejection)
          expect(rejections).toEqual([])
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect("a reader that is interrupted leaves its refresh running", () =>
      Effect.gen(function* () {
        yield* first
        yield* TestClock.adjust("100 millis")
        const next = counting(taking("1 second", Effect.succeed("new")))
        const reader = yield* Effect.fork(
          Effect.zipRight(Cache.getOrCreate("k", next.create, eager), Effect.never)
        )
        yield* settleDown
        yield* Fiber.interrupt(reader)
        yield* TestClock.adjust("1 second")
        expect(yield* Cache.getOrCreate("k", Effect.never, { beta: 0 })).toBe("new")
        expect(next.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    describe("with `background: false`", () => {
      const inLine: GetOrCreateOptions<string> = { ...eager, background: false }

      it.effect("the reader that fires waits for its refresh, and is the only one", () =>
        Effect.gen(function* () {
          yield* first
          yield* TestClock.adjust("100 millis")
          const next = counting(taking("1 second", Effect.succeed("new")))
          const lookup = Cache.getOrCreate("k", next.create, inLine)
          const firing = yield* Effect.fork(lookup)
          yield* settleDown
          const others = yield* crowd(100, lookup)
          expect(others.map((exit) => exit._tag === "Success" && exit.value)).toEqual(
            Array(100).fill("old")
          )
          yield* TestClock.adjust("1 second")
          expect(yield* Fiber.join(firing)).toBe("new")
          expect(next.runs).toBe(1)
          expect(yield* Cache.counters).toMatchObject({ hits: 101, misses: 1, earlyRefreshes: 1 })
        }).pipe(Effect.provide(layer()))
      )

      it.effect("a refresh in line that fails gives the value that is still fresh", () =>
        Effect.gen(function* () {
          yield* first
          yield* TestClock.adjust("100 millis")
          expect(yield* Cache.getOrCreate("k", Effect.fail("down"), inLine)).toBe("old")
          expect(yield* Cache.counters).toMatchObject({ loadFailures: 1, hits: 1 })
        }).pipe(Effect.provide(layer()))
      )
    })

    it.effect("`refresh: true` rebuilds a fresh entry, and its caller waits", () =>
      Effect.gen(function* () {
        yield* first
        const refreshed = yield* within(
          "1 second",
          Cache.getOrCreate("k", taking("1 second", Effect.succeed("new")), { refresh: true })
        )
        expect(refreshed).toBe("new")
        expect(yield* Cache.get("k")).toEqual(Option.some("new"))
        expect(yield* Cache.counters).toMatchObject({ misses: 2, loads: 2, earlyRefreshes: 0 })
      }).pipe(Effect.provide(layer()))
    )
  })
}
