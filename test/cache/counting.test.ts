/** Each lookup is exactly one of hit, miss, stale and bypassed; and what else is counted. */
import { afterEach, describe, expect, it, vi } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import {
  Cache,
  CacheBackend,
  type CacheCounters,
  CacheRegion,
  MemoryBackend,
  MemoryCache,
  NoopCache
} from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import { settleDown } from "../protocol/world.js"
import { crowd, keys, startProcess, tiers } from "./world.js"

const lookupsOf = ({ bypassed, hits, misses, stale }: CacheCounters) =>
  hits + misses + stale + bypassed

const ofUsers = CacheRegion.make({ name: "user", value: Schema.Number, ttl: "1 minute" })
const ofOrders = CacheRegion.make({
  name: "order",
  value: Schema.Number,
  error: Schema.String,
  staleWhileRevalidate: "1 minute",
  ttl: "1 minute"
})
const regions = [ofUsers, ofOrders]

const creators: Record<string, Effect.Effect<number, string>> = {
  succeeds: Effect.succeed(1),
  slowly: Effect.as(Effect.repeatN(Effect.yieldNow(), 30), 2),
  refused: Effect.succeed(Number.NaN),
  fails: Effect.fail("down"),
  dies: Effect.die("bug")
}

/** One step of a random program. */
const step = FastCheck.record({
  what: FastCheck.constantFrom("create", "create", "create", "get", "set", "invalidate", "wait"),
  region: FastCheck.constantFrom(0, 1),
  key: FastCheck.constantFrom("a", "b"),
  creator: FastCheck.constantFrom(...Object.keys(creators)),
  refresh: FastCheck.boolean(),
  crowd: FastCheck.constantFrom(1, 3)
})

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect.prop(
      "a lookup is counted once, in its region and in all",
      [FastCheck.array(step, { maxLength: 40 })],
      ([program]) =>
        Effect.gen(function* () {
          const lookups = [0, 0]
          for (const { creator, crowd: size, key, refresh, region: index, what } of program) {
            const region = regions[index]!
            if (what === "wait") yield* TestClock.adjust("45 seconds")
            if (what === "set") yield* region.set(key, 3)
            if (what === "invalidate") yield* region.invalidate(key)
            if (what !== "create" && what !== "get") continue
            lookups[index]! += size
            const lookup =
              what === "get"
                ? region.get(key)
                : region.getOrCreate(key, creators[creator]!, { refresh, beta: 1 })
            yield* crowd<unknown, unknown, Cache>(size, lookup)
          }
          yield* settleDown
          const counted = yield* Effect.all(regions.map((region) => region.counters))
          expect(counted.map(lookupsOf)).toEqual(lookups)
          const all = yield* Cache.counters
          expect(lookupsOf(all)).toBe(lookups[0]! + lookups[1]!)
          for (const each of ["hits", "stale", "coalesced", "loads", "loadFailures"] as const) {
            expect(all[each]).toBe(counted[0]![each] + counted[1]![each])
          }
        }).pipe(Effect.provide(layer())),
      { fastCheck: { numRuns: 40 } }
    )

    it.effect("the hit rate is hits a lookup, and 0 when there were none", () =>
      Effect.gen(function* () {
        expect((yield* Cache.counters).hitRate).toBe(0)
        for (const key of ["a", "b", "c"]) {
          for (let lookup = 0; lookup < 15; lookup++) {
            yield* Cache.getOrCreate(key, Effect.succeed(1))
          }
        }
        const { hitRate, hits, misses } = yield* Cache.counters
        expect([hits, misses]).toEqual([42, 3])
        expect(hitRate).toBeCloseTo(0.9333, 4)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("regions are counted on their own", () =>
      Effect.gen(function* () {
        yield* ofUsers.getOrCreate("a", Effect.succeed(1))
        yield* ofUsers.getOrCreate("a", Effect.succeed(1))
        yield* Effect.exit(ofOrders.getOrCreate("a", Effect.fail("down")))
        yield* Cache.getOrCreate("a", Effect.succeed(1))
        expect(yield* ofUsers.counters).toMatchObject({ hits: 1, misses: 1, hitRate: 0.5 })
        expect(yield* ofOrders.counters).toMatchObject({ misses: 1, loads: 1, loadFailures: 1 })
        expect(yield* Cache.counters).toMatchObject({ hits: 1, misses: 3, loads: 3 })
      }).pipe(Effect.provide(layer()))
    )
  })
}

it.scoped("while a write is unconfirmed, lookups of its key are bypassed", () =>
  Effect.gen(function* () {
    const controlled = yield* ControlledBackend.make(yield* MemoryBackend.make())
    const cache = yield* startProcess(controlled.backend)
    yield* controlled.hold("invalidate")
    const invalidating = yield* Effect.fork(cache(Cache.invalidate("k")))
    yield* (yield* controlled.next("invalidate")).lose
    expect(yield* invalidating).toBe(false)
    expect(yield* cache(Cache.getOrCreate("k", Effect.succeed(1)))).toBe(1)
    expect(yield* cache(Cache.get("k"))).toEqual(Option.none())
    yield* cache(Cache.getOrCreate("other", Effect.succeed(1)))
    expect(yield* cache(Cache.counters)).toMatchObject({
      hits: 0,
      misses: 1,
      bypassed: 2,
      loads: 2,
      backendErrors: 1
    })
  })
)

it.effect("what goes because there are too many is an eviction, what nobody used first", () =>
  Effect.gen(function* () {
    for (let key = 0; key < 10; key++) yield* Cache.set(`k${key}`, key)
    yield* Cache.get("k0")
    yield* Cache.set("k1", "again")
    yield* Cache.invalidate("k9")
    expect((yield* Cache.counters).evictions).toBe(0)
    for (let key = 10; key < 18; key++) yield* Cache.getOrCreate(`k${key}`, Effect.succeed(key))
    expect((yield* Cache.counters).evictions).toBe(7)
    expect((yield* keys).filter((key) => key.length === 2)).toEqual(["k0", "k1"])
    expect((yield* Cache.stats).size).toBe(10)
  }).pipe(Effect.provide(MemoryCache.layer({ capacity: 10 })))
)

describe("metrics", () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** What has been published under `larder.cache.…` by the cache of that name. */
  const published = (cache: string) =>
    Effect.map(Metric.snapshot, (pairs) =>
      pairs.flatMap(({ metricKey, metricState }) => {
        const tags = Object.fromEntries(metricKey.tags.map(({ key, value }) => [key, value]))
        return tags["cache"] === cache && MetricState.isCounterState(metricState)
          ? [{ name: metricKey.name, tags, count: metricState.count }]
          : []
      })
    )

  const someLookups = Effect.gen(function* () {
    yield* Cache.getOrCreate("a secret key", Effect.succeed(1))
    yield* Cache.getOrCreate("a secret key", Effect.succeed(1))
    yield* Cache.get("a secret key")
    yield* ofUsers.getOrCreate("another secret key", Effect.succeed(1))
  })

  it.effect("are published when the cache's scope closes, and have no key for a label", () =>
    Effect.gen(function* () {
      yield* Effect.provide(someLookups, MemoryCache.layer({ name: "closing" }))
      const metrics = yield* published("closing")
      const tags = { cache: "closing", backend: "memory" }
      expect(metrics).toHaveLength(5)
      for (const metric of [
        { name: "larder.cache.hits", tags, count: 2 },
        { name: "larder.cache.misses", tags, count: 1 },
        { name: "larder.cache.loads", tags, count: 1 },
        { name: "larder.cache.misses", tags: { ...tags, region: "user" }, count: 1 },
        { name: "larder.cache.loads", tags: { ...tags, region: "user" }, count: 1 }
      ]) {
        expect(metrics).toContainEqual(metric)
      }
      expect(JSON.stringify(metrics)).not.toContain("secret")
    })
  )

  it.scoped("go by the name of a backend that is built late, once it is there", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    return Effect.gen(function* () {
      let isThere = false
      const primary = Layer.effect(
        CacheBackend,
        Effect.suspend(() => (isThere ? MemoryBackend.make() : Effect.fail("no server yet")))
      )
      const context = yield* Layer.build(
        Cache.withFallback(primary, NoopCache.backend, {
          name: "built late",
          recovery: Schedule.spaced("1 second")
        })
      )
      const bypassed = Effect.gen(function* () {
        yield* Effect.provide(Cache.getOrCreate("k", Effect.succeed(1), { ttl: 0 }), context)
        vi.advanceTimersByTime(1_000)
        const metrics = yield* published("built late")
        return metrics.map(({ count, name, tags }) => [name, tags["backend"], count])
      })
      expect(yield* bypassed).toContainEqual(["larder.cache.loads", "late", 1])
      isThere = true
      yield* TestClock.adjust("1 second")
      const metrics = yield* bypassed
      expect(metrics).toContainEqual(["larder.cache.loads", "late", 1])
      expect(metrics).toContainEqual(["larder.cache.loads", "memory", 1])
    })
  })

  it.effect("say how many entries this process holds", () =>
    Effect.gen(function* () {
      const size = Metric.gauge("larder.cache.size").pipe(
        Metric.tagged("cache", "full"),
        Metric.tagged("backend", "memory")
      )
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
      yield* Effect.gen(function* () {
        for (const key of ["a", "b", "c"]) yield* Cache.set(key, 1)
        vi.advanceTimersByTime(1_000)
        expect((yield* Metric.value(size)).value).toBe(2)
        yield* Cache.invalidate("c")
        vi.advanceTimersByTime(1_000)
        expect((yield* Metric.value(size)).value).toBe(1)
      }).pipe(Effect.provide(MemoryCache.layer({ name: "full", capacity: 2 })))
      expect((yield* Metric.value(size)).value).toBe(0)
    })
  )

  it.effect("are published once a second while it is open, each count once", () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] })
    return Effect.gen(function* () {
      yield* Effect.gen(function* () {
        yield* someLookups
        expect(yield* published("open")).toEqual([])
        vi.advanceTimersByTime(1_000)
        const hits = { name: "larder.cache.hits", count: 2 }
        expect(yield* published("open")).toContainEqual(expect.objectContaining(hits))
        vi.advanceTimersByTime(5_000)
        expect(yield* published("open")).toContainEqual(expect.objectContaining(hits))
        yield* Cache.get("a secret key")
      }).pipe(Effect.provide(MemoryCache.layer({ name: "open" })))
      expect(yield* published("open")).toContainEqual(
        expect.objectContaining({ name: "larder.cache.hits", count: 3 })
      )
      expect(vi.getTimerCount()).toBe(0)
    })
  })
})
