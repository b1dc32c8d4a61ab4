/** What a test of somebody's program can ask of `MemoryCache.layerTest`; lookups of regions. */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import * as TestClock from "effect/TestClock"
import { Cache, CacheRecorder, CacheRegion, MemoryCache } from "effect-larder"
import { settleDown } from "../protocol/world.js"
import { crowd, keys, tiers } from "./world.js"

const users = CacheRegion.make({ name: "user", value: Schema.String })

describe("MemoryCache.layerTest", () => {
  it.effect("records each load: its key, how it ended, and how long it took", () =>
    Effect.gen(function* () {
      const loading = yield* Effect.fork(
        crowd(10, Cache.getOrCreate("slow", Effect.as(Effect.sleep("2 seconds"), 1)))
      )
      const leaving = yield* Effect.fork(Cache.getOrCreate("left", Effect.never))
      yield* settleDown
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(loading)
      yield* Effect.exit(Cache.getOrCreate("failing", Effect.fail("down")))
      yield* Fiber.interrupt(leaving)
      yield* users.getOrCreate("42", Effect.succeed("Ada"))
      yield* users.getOrCreate("42", Effect.succeed("Ada"))
      expect(yield* CacheRecorder.loads()).toEqual([
        { key: "slow", outcome: "success", millis: 2_000 },
        { key: "failing", outcome: "failure", millis: 0 },
        { key: "left", outcome: "interrupted", millis: 2_000 },
        { key: "user:42", outcome: "success", millis: 0 }
      ])
      expect(yield* CacheRecorder.loads("user:42")).toHaveLength(1)
      expect(yield* CacheRecorder.loads("user:43")).toEqual([])
      yield* CacheRecorder.reset
      expect(yield* CacheRecorder.loads()).toEqual([])
    }).pipe(Effect.provide(MemoryCache.layerTest))
  )

  it.effect("records every load that is counted, nested ones, too", () =>
    Effect.gen(function* () {
      const inner = Cache.getOrCreate("k", Effect.succeed("inner"))
      yield* Cache.getOrCreate("k", Cache.getOrCreate("other", inner))
      yield* Cache.getOrCreate("unstored", Effect.succeed(1), { ttl: 0 })
      const { loads } = yield* Cache.counters
      expect(loads).toBe(4)
      expect((yield* CacheRecorder.loads()).map(({ key }) => key)).toEqual([
        "k",
        "other",
        "k",
        "unstored"
      ])
    }).pipe(Effect.provide(MemoryCache.layerTest))
  )

  it.effect("refuses what a shared backend would", () =>
    Effect.gen(function* () {
      yield* Cache.set("k", new Map())
      expect(yield* keys).toEqual([])
      expect((yield* Cache.counters).encodeErrors).toBe(1)
    }).pipe(Effect.provide(MemoryCache.layerTest))
  )

  it.effect("refreshes nothing early unless a reader says so", () =>
    Effect.gen(function* () {
      const loading = yield* Effect.fork(
        Cache.getOrCreate("k", Effect.as(Effect.sleep("10 seconds"), 1), { ttl: "1 minute" })
      )
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(loading)
      yield* TestClock.adjust("59999 millis")
      yield* crowd(100, Cache.getOrCreate("k", Effect.succeed(2)))
      yield* settleDown
      expect((yield* CacheRecorder.loads()).length).toBe(1)
      yield* Cache.getOrCreate("k", Effect.succeed(2), { beta: 1e9 })
      yield* settleDown
      expect((yield* CacheRecorder.loads()).length).toBe(2)
    }).pipe(Effect.provide(MemoryCache.layerTest))
  )
})

for (const { layer, name } of tiers) {
  describe(`on ${name}, a lookup captured where a layer is built`, () => {
    class Database extends Context.Tag("test/Database")<Database, string>() {}

    class Users extends Context.Tag("test/Users")<
      Users,
      CacheRegion.CacheLookup<string, string, never, Cache>
    >() {
      static readonly layer = (
        lookup: (id: string) => Effect.Effect<string, never, Database>,
        region: CacheRegion.CacheRegion<string, string> = users
      ) =>
        Layer.effect(Users, CacheRegion.withLookup(region, lookup)).pipe(
          Layer.provide(Layer.succeed(Database, "the layer's"))
        )
    }

    it.effect("loads with the services of the layer, not with those of the reader", () =>
      Effect.gen(function* () {
        const found = yield* Effect.flatMap(Users, (found) => found.get("42"))
        expect(found).toBe("42 from the layer's")
        expect(yield* users.get("42")).toEqual(Option.some(found))
        expect(yield* Effect.flatMap(Users, (found) => found.invalidate("42"))).toBe(true)
        expect(yield* users.get("42")).toEqual(Option.none())
      }).pipe(
        Effect.provideService(Database, "the reader's"),
        Effect.provide(
          Layer.merge(
            Users.layer((id) => Effect.map(Database, (database) => `${id} from ${database}`)),
            layer()
          )
        )
      )
    )

    it.effect("refreshes when told, and behind", () => {
      let loads = 0
      const region = CacheRegion.make({
        name: "user",
        value: Schema.String,
        ttl: "1 minute",
        staleWhileRevalidate: "1 minute"
      })
      return Effect.gen(function* () {
        const { get, refresh } = yield* Users
        expect([yield* get("42"), yield* get("42")]).toEqual(["load 1", "load 1"])
        expect(yield* refresh("42")).toBe("load 2")
        yield* TestClock.adjust("90 seconds")
        expect(yield* get("42")).toBe("load 2")
        yield* settleDown
        expect(yield* get("42")).toBe("load 3")
      }).pipe(
        Effect.provide(
          Layer.merge(
            Users.layer(() => Effect.map(Database, () => `load ${++loads}`), region),
            layer()
          )
        )
      )
    })

    it.effect("gives what it opens a scope of its own, and a span of the caller's trace", () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const spans = yield* Deferred.make<Tracer.Span>()
        const lookup = (id: string) =>
          Effect.gen(function* () {
            yield* Effect.acquireRelease(
              Effect.sync(() => log.push(`open ${id}`)),
              () => Effect.sync(() => log.push(`closed ${id}`))
            )
            yield* Deferred.succeed(spans, yield* Effect.orDie(Effect.currentSpan))
            return id
          })
        const built = yield* Effect.withSpan(CacheRegion.withLookup(users, lookup), "build")
        const caller = yield* Effect.withSpan(
          Effect.zipRight(built.get("42"), Effect.orDie(Effect.currentSpan)),
          "caller"
        )
        expect(log).toEqual(["open 42", "closed 42"])
        const span = yield* Deferred.await(spans)
        expect(span.name).toBe("larder.create")
        expect(Option.getOrUndefined(span.parent)).toBe(caller)
      }).pipe(Effect.provide(layer()))
    )
  })
}
