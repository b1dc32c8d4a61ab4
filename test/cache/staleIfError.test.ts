/** With `staleIfError`, what has expired stands in for a rebuild that fails. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { Cache, CacheRegion, MemoryBackend } from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import { advance, settleDown } from "../protocol/world.js"
import { counting, crowd, keys, listening, startProcess, tiers } from "./world.js"

const life = { ttl: "1 minute", staleIfError: "1 hour" } as const

const failing = (options: object = life) =>
  Effect.exit(Cache.getOrCreate("k", Effect.fail("down"), options))

/** An entry that has been stale for a second. */
const stale = Effect.zipRight(
  Cache.getOrCreate("k", Effect.succeed("old"), life),
  TestClock.adjust("61 seconds")
)

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    for (const [what, create, failures] of [
      ["fails", Effect.fail("down"), 1],
      ["dies", Effect.die(new Error("bug")), 1],
      ["interrupts itself", Effect.interrupt, 0]
    ] as ReadonlyArray<[string, Effect.Effect<string, string>, number]>) {
      it.effect(`a creator that ${what}: all who wait are given what is stale`, () =>
        Effect.gen(function* () {
          yield* stale
          const creator = counting(Effect.delay(create, "1 second"))
          const callers = yield* Effect.fork(
            crowd(100, Cache.getOrCreate("k", creator.create, life))
          )
          yield* advance("1 second")
          expect(yield* callers).toEqual(Array(100).fill(Exit.succeed("old")))
          expect(creator.runs).toBe(1)
          expect(yield* Cache.counters).toMatchObject({
            hits: 0,
            misses: 1,
            stale: 100,
            loads: 2,
            loadFailures: failures
          })
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect(
      "each lookup after a failed rebuild tries again, and the first success is stored",
      () =>
        Effect.gen(function* () {
          yield* stale
          const creator = counting(Effect.fail("down"))
          const lookup = Cache.getOrCreate("k", creator.create, life)
          expect([yield* lookup, yield* lookup]).toEqual(["old", "old"])
          expect(creator.runs).toBe(2)
          expect(yield* Cache.getOrCreate("k", Effect.succeed("new"), life)).toBe("new")
          expect(yield* failing()).toEqual(Exit.succeed("new"))
          expect(yield* Cache.counters).toMatchObject({ hits: 1, misses: 2, stale: 2 })
        }).pipe(Effect.provide(layer()))
    )

    it.effect("not before the ttl is over, and not when the window is", () =>
      Effect.gen(function* () {
        yield* Cache.getOrCreate("k", Effect.succeed("old"), life)
        yield* TestClock.adjust(60_000)
        expect(yield* failing()).toEqual(Exit.succeed("old"))
        yield* TestClock.adjust(3_600_000 - 1)
        expect(yield* failing()).toEqual(Exit.succeed("old"))
        yield* TestClock.adjust(1)
        expect(yield* failing()).toEqual(Exit.fail("down"))
        expect(yield* Cache.counters).toMatchObject({ hits: 0, misses: 2, stale: 2 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("the window counts when the creator fails, not when it began", () =>
      Effect.gen(function* () {
        yield* stale
        const slow = Effect.delay(Effect.fail("down"), "1 hour")
        const caller = yield* Effect.fork(Cache.getOrCreate("k", slow, life))
        yield* advance("1 hour")
        expect(yield* Fiber.await(caller)).toEqual(Exit.fail("down"))
        expect(yield* Cache.counters).toMatchObject({ misses: 2, stale: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a reader may shorten the window, and not lengthen it", () =>
      Effect.gen(function* () {
        yield* stale
        expect(yield* failing({})).toEqual(Exit.fail("down"))
        expect(yield* failing({ staleIfError: "1 second" })).toEqual(Exit.fail("down"))
        expect(yield* failing({ staleIfError: "2 seconds" })).toEqual(Exit.succeed("old"))
        yield* TestClock.adjust("1 hour")
        expect(yield* failing({ staleIfError: "1 day" })).toEqual(Exit.fail("down"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("the layer's window is that of all who say nothing, and of what is set", () =>
      Effect.gen(function* () {
        yield* Cache.set("k", "old")
        yield* TestClock.adjust("90 seconds")
        expect(yield* failing({})).toEqual(Exit.succeed("old"))
        expect(yield* failing({ staleIfError: 0 })).toEqual(Exit.fail("down"))
      }).pipe(Effect.provide(layer({ ttl: "1 minute", staleIfError: "1 minute" })))
    )

    it.effect("with both windows, a stale value is served at once while it is rebuilt behind", () =>
      Effect.gen(function* () {
        const both = { ...life, staleWhileRevalidate: "1 minute" } as const
        yield* Cache.getOrCreate("k", Effect.succeed("old"), both)
        yield* TestClock.adjust("90 seconds")
        const endless = Cache.getOrCreate("k", Effect.never, both)
        expect([yield* endless, yield* endless]).toEqual(["old", "old"])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("beyond the shorter window the longer one holds", () =>
      Effect.gen(function* () {
        const both = { ...life, staleWhileRevalidate: "1 minute" } as const
        yield* Cache.getOrCreate("k", Effect.succeed("old"), both)
        yield* TestClock.adjust("90 seconds")
        expect(yield* failing(both)).toEqual(Exit.succeed("old"))
        yield* settleDown
        yield* TestClock.adjust("1 minute")
        expect(yield* failing(both)).toEqual(Exit.succeed("old"))
        expect(yield* Cache.counters).toMatchObject({ misses: 1, stale: 2, loadFailures: 2 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("who joins a refresh behind that fails is given what is stale", () =>
      Effect.gen(function* () {
        const both = { ...life, staleWhileRevalidate: "1 hour" } as const
        yield* Cache.getOrCreate("k", Effect.succeed("old"), both)
        yield* TestClock.adjust("61 seconds")
        const gate = yield* Deferred.make<string, string>()
        yield* Cache.getOrCreate("k", Deferred.await(gate), both)
        const inLine = Cache.getOrCreate("k", Effect.die("a second load"), {
          ...both,
          background: false
        })
        const joiner = yield* Effect.fork(inLine)
        yield* settleDown
        yield* Deferred.fail(gate, "down")
        expect(yield* joiner).toBe("old")
        expect(yield* Cache.counters).toMatchObject({ stale: 2, misses: 1, loads: 2 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("`get` gives nothing stale; keys, inspect and invalidate know of it", () =>
      Effect.gen(function* () {
        yield* stale
        expect(yield* Cache.get("k")).toEqual(Option.none())
        expect(yield* keys).toEqual(["k"])
        expect(yield* Effect.flatten(Cache.inspect("k"))).toMatchObject({
          freshness: "stale",
          age: Duration.seconds(61),
          timeToLive: Duration.zero
        })
        expect(yield* Cache.invalidate("k")).toBe(true)
        expect(yield* failing()).toEqual(Exit.fail("down"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("when the window is over, nothing is left of it", () =>
      Effect.gen(function* () {
        yield* stale
        yield* TestClock.adjust("1 hour")
        expect(yield* keys).toEqual([])
        expect(yield* Cache.inspect("k")).toEqual(Option.none())
        expect(yield* Cache.invalidate("k")).toBe(false)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("`refresh: true` has nothing at hand", () =>
      Effect.gen(function* () {
        yield* stale
        expect(yield* failing({ ...life, refresh: true })).toEqual(Exit.fail("down"))
        expect(yield* failing()).toEqual(Exit.succeed("old"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("what another version or schema made stands in for nothing", () =>
      Effect.gen(function* () {
        yield* stale
        expect(yield* failing({ ...life, schema: Schema.Number })).toEqual(Exit.fail("down"))
        expect(yield* Cache.counters).toMatchObject({ misses: 2, stale: 0, decodeErrors: 1 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("who waits is interrupted when asked to, and is given nothing", () =>
      Effect.gen(function* () {
        yield* stale
        const caller = yield* Effect.fork(Cache.getOrCreate("k", Effect.never, life))
        yield* settleDown
        expect(Exit.isInterrupted(yield* Fiber.interrupt(caller))).toBe(true)
        expect(yield* Cache.counters).toMatchObject({ misses: 2, stale: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.scoped("a cache that closes serves nothing any more", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(layer(), scope)
        yield* Effect.provide(stale, context)
        const caller = yield* Effect.fork(
          Effect.provide(Cache.getOrCreate("k", Effect.never, life), context)
        )
        yield* settleDown
        yield* Scope.close(scope, Exit.void)
        expect(Exit.isInterrupted(yield* Fiber.await(caller))).toBe(true)
      })
    )

    it.scoped("it is told once a rebuild, by an event and at debug", () =>
      Effect.gen(function* () {
        yield* stale
        const events = yield* listening
        const lines: Array<unknown> = []
        const logger = Logger.make(({ logLevel, message }) => lines.push([logLevel.label, message]))
        const create = Effect.delay(Effect.fail("down"), "1 second")
        const callers = yield* crowd(10, Cache.getOrCreate("k", create, life)).pipe(
          Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
          Logger.withMinimumLogLevel(LogLevel.Debug),
          Effect.fork
        )
        yield* advance("1 second")
        yield* Fiber.join(callers)
        yield* settleDown
        expect(events).toEqual([{ _tag: "staleIfError", key: "k" }])
        const line = "A rebuild failed; the stale entry is served in its place"
        expect(lines).toEqual([["DEBUG", [line]]])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a negative window is a defect of whoever wrote it", () =>
      Effect.gen(function* () {
        const lookup = Cache.getOrCreate("k", Effect.succeed(1), { staleIfError: -1 })
        const cause = yield* Effect.flip(Effect.sandbox(lookup))
        expect(String(Cause.squash(cause))).toContain("staleIfError is -1; allowed: a duration")
      }).pipe(Effect.provide(layer()))
    )

    describe("in a region", () => {
      const users = CacheRegion.make({
        name: "user",
        value: Schema.String,
        error: Schema.Literal("no such user"),
        ...life
      })
      const user = (create: Effect.Effect<string, string>) =>
        Effect.exit(users.getOrCreate("k", create))
      const expired = Effect.zipRight(user(Effect.succeed("old")), TestClock.adjust("61 seconds"))

      it.effect("the region's window is that of its entries, and its counters say so", () =>
        Effect.gen(function* () {
          yield* expired
          expect(yield* user(Effect.fail("down"))).toEqual(Exit.succeed("old"))
          const shortened = users.getOrCreate("k", Effect.fail("down"), { staleIfError: 0 })
          expect(yield* Effect.exit(shortened)).toEqual(Exit.fail("down"))
          expect(yield* users.counters).toMatchObject({ misses: 2, stale: 1 })
        }).pipe(Effect.provide(layer()))
      )

      // That a user is gone is an answer, as 404 is none of the errors of RFC 5861: nobody
      // is to see one who was deleted for another hour.
      it.effect(
        "a failure that is cached is an answer: it is given, and replaces what is stale",
        () =>
          Effect.gen(function* () {
            yield* expired
            expect(yield* user(Effect.fail("no such user"))).toEqual(Exit.fail("no such user"))
            expect(yield* user(Effect.die("it is cached"))).toEqual(Exit.fail("no such user"))
            yield* TestClock.adjust("10 seconds")
            expect(yield* user(Effect.fail("down"))).toEqual(Exit.fail("down"))
            expect(yield* users.counters).toMatchObject({ hits: 1, misses: 3, stale: 0 })
          }).pipe(Effect.provide(layer()))
      )
    })
  })
}

describe("over a backend", () => {
  const start = Effect.gen(function* () {
    const server = yield* MemoryBackend.make()
    const controlled = yield* ControlledBackend.make(server)
    return {
      ...controlled,
      here: yield* startProcess(controlled.backend),
      there: yield* startProcess(server)
    }
  })

  it.scoped("what one process has stored stands in for a rebuild in another", () =>
    Effect.gen(function* () {
      const { here, there } = yield* start
      yield* there(stale)
      expect(yield* here(failing())).toEqual(Exit.succeed("old"))
    })
  )

  it.scoped("a fault after the read takes nothing away", () =>
    Effect.gen(function* () {
      const { here, hold, next, there } = yield* start
      yield* there(stale)
      yield* hold("lease")
      const caller = yield* Effect.fork(here(failing()))
      yield* Effect.flatMap(next("lease"), ({ lose }) => lose)
      expect(yield* Fiber.join(caller)).toEqual(Exit.succeed("old"))
      expect(yield* here(Cache.counters)).toMatchObject({ stale: 1, misses: 0, loadFailures: 1 })
    })
  )

  // All reads of late were misses: who takes nothing stale asks for the lease at once.
  it.scoped("is read before the lease is asked for, though misses are the rule", () =>
    Effect.gen(function* () {
      const { here, sent, there } = yield* start
      yield* there(stale)
      yield* here(
        Effect.forEach(Array.from({ length: 40 }).keys(), (n) =>
          Cache.getOrCreate(`cold ${n}`, Effect.succeed(n))
        )
      )
      const before = (yield* sent).length
      yield* here(Cache.getOrCreate("another", Effect.succeed(1)))
      expect((yield* sent).slice(before)).toEqual(["lease", "commit"])
      expect(yield* here(failing())).toEqual(Exit.succeed("old"))
    })
  )

  // A's creator runs, and B, who has read what is stale, waits for it. The key is
  // invalidated: A's commit is refused, and B goes round, to find nothing.
  it.scoped("what was read before an invalidation is not used after a later read", () =>
    Effect.gen(function* () {
      const { here, there } = yield* start
      yield* there(stale)
      const gate = yield* Deferred.make<string>()
      const a = yield* Effect.fork(here(Cache.getOrCreate("k", Deferred.await(gate), life)))
      yield* settleDown
      const b = yield* Effect.fork(here(failing()))
      yield* settleDown
      yield* there(Cache.invalidate("k"))
      yield* Deferred.succeed(gate, "overtaken")
      expect(yield* a).toBe("overtaken")
      expect(yield* Fiber.join(b)).toEqual(Exit.fail("down"))
    })
  )

  it.scoped("who waits for another's value, and is given it, is counted a miss", () =>
    Effect.gen(function* () {
      const { here, there } = yield* start
      yield* there(stale)
      const gate = yield* Deferred.make<string>()
      yield* Effect.fork(there(Cache.getOrCreate("k", Deferred.await(gate), life)))
      yield* settleDown
      const caller = yield* Effect.fork(here(failing()))
      yield* settleDown
      yield* Deferred.succeed(gate, "new")
      expect(yield* Fiber.join(caller)).toEqual(Exit.succeed("new"))
      expect(yield* here(Cache.counters)).toMatchObject({ misses: 1, hits: 0, stale: 0, waits: 1 })
    })
  )
})
