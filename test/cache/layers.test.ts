/** The layers: what they take, what they refuse, and what they stand in for. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import {
  Cache,
  MemoryBackend,
  MemoryCache,
  NoopCache,
  NoopCacheLive,
  SharedCache
} from "effect-larder"
import { counting, crowd, keys, memory, shared, withLog } from "./world.js"

describe("a wrong setting is a defect, which names the value and what is allowed", () => {
  const backend = Effect.runSync(MemoryBackend.make())

  for (const [setting, value, allowed, layer] of [
    ["prefix", "a:b", "A-Z a-z 0-9 . _ -", MemoryCache.layer({ prefix: "a:b" })],
    ["prefix", "", "A-Z a-z 0-9 . _ -", Cache.fromBackend(backend, { prefix: "" })],
    ["beta", -1, "from 0 up", MemoryCache.layer({ beta: -1 })],
    ["beta", NaN, "from 0 up", Cache.fromBackend(backend, { beta: NaN })],
    ["ttl", "soon", "a duration", MemoryCache.layer({ ttl: "soon" as "1 second" })],
    [
      "staleWhileRevalidate",
      "5 parsecs",
      "a duration",
      MemoryCache.layer({ staleWhileRevalidate: "5 parsecs" as "5 seconds" })
    ],
    ["capacity", 0, "from 1 up", MemoryCache.layer({ capacity: 0 })],
    ["capacity", 1.5, "a whole number", MemoryCache.layer({ capacity: 1.5 })],
    ["capacity", Infinity, "a whole number", MemoryCache.layer({ capacity: Infinity })],
    ["lease.duration", 0, "at least 1", Cache.fromBackend(backend, { lease: { duration: 0 } })],
    [
      "lease.duration",
      Infinity,
      "finite",
      Cache.fromBackend(backend, { lease: { duration: Duration.infinity } })
    ],
    [
      "lease.maxHold",
      "ages",
      "a duration",
      Cache.fromBackend(backend, { lease: { maxHold: "ages" as "1 hour" } })
    ]
  ] as ReadonlyArray<[string, string | number, string, Layer.Layer<Cache>]>) {
    it.effect(`${setting}: ${JSON.stringify(value) ?? value} (${value})`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(Effect.provide(Cache.health, layer))
        const defect = Option.getOrThrow(
          Cause.dieOption(Exit.isFailure(exit) ? exit.cause : Cause.empty)
        )
        expect(defect).toBeInstanceOf(Error)
        expect(String(defect)).toContain(`effect-larder: ${setting} is `)
        expect(String(defect)).toContain(String(value))
        expect(String(defect)).toContain(allowed)
      })
    )
  }

  it.effect("undefined means unset", () =>
    Effect.gen(function* () {
      const unset = { name: undefined, prefix: undefined, ttl: undefined, beta: undefined }
      const layer = MemoryCache.layer({ ...unset, capacity: undefined, strict: undefined })
      expect((yield* Effect.provide(Cache.health, layer)).healthy).toBe(true)
      const over = Cache.fromBackend(backend, { ...unset, lease: { duration: undefined } })
      expect((yield* Effect.provide(Cache.health, over)).healthy).toBe(true)
    })
  )
})

describe("MemoryCache.layerConfig", () => {
  const layer = MemoryCache.layerConfig({
    capacity: Config.integer("CAPACITY"),
    ttl: Config.duration("TTL").pipe(Config.withDefault(Duration.hours(1)))
  })
  const configured = (settings: Record<string, string>) =>
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(settings))))

  it.effect("takes its settings from the config", () =>
    Effect.gen(function* () {
      for (const key of ["a", "b", "c"]) yield* Cache.set(key, 1)
      expect(yield* keys).toEqual(["b", "c"])
      yield* TestClock.adjust("2 minutes")
      expect(yield* keys).toEqual([])
    }).pipe(Effect.provide(layer), configured({ CAPACITY: "2", TTL: "2 minutes" }))
  )

  it.effect("fails where the config does, and dies where it makes no sense", () =>
    Effect.gen(function* () {
      const building = Effect.exit(Effect.provide(Cache.health, layer))
      expect(yield* configured({})(building)).toMatchObject({ cause: { _tag: "Fail" } })
      expect(yield* configured({ CAPACITY: "-1" })(building)).toMatchObject({
        cause: { _tag: "Die" }
      })
    })
  )
})

for (const [name, layer] of [
  ["NoopCache.layer", NoopCache.layer],
  ["NoopCacheLive", NoopCacheLive]
] as const) {
  describe(name, () => {
    it.effect("every read misses, every write succeeds, nothing is coalesced", () =>
      Effect.gen(function* () {
        const user = counting(Effect.succeed("Ada"))
        yield* crowd(100, Cache.getOrCreate("user", user.create, { ttl: "1 hour" }))
        expect(user.runs).toBe(100)
        yield* Cache.set("user", "Ada")
        expect(yield* Cache.get("user")).toEqual(Option.none())
        expect(yield* Cache.invalidate("user")).toBe(false)
        yield* Cache.clear
        expect(yield* keys).toEqual([])
        expect(yield* Cache.inspect("user")).toEqual(Option.none())
        expect(yield* Cache.stats).toMatchObject({
          size: 0,
          keys: [],
          truncated: false,
          hits: 0,
          misses: 101,
          loads: 100,
          coalesced: 0,
          hitRate: 0
        })
        expect(yield* Cache.health).toMatchObject({ healthy: true, backend: "noop" })
      }).pipe(Effect.provide(layer))
    )

    it.effect("a creator's failure, defect and scope are as with any cache", () =>
      Effect.gen(function* () {
        let closed = 0
        const create = Effect.zipRight(
          Effect.acquireRelease(Effect.void, () => Effect.sync(() => closed++)),
          Effect.fail("down")
        )
        expect(yield* Effect.exit(Cache.getOrCreate("k", create))).toEqual(Exit.fail("down"))
        expect(closed).toBe(1)
        const died = yield* Effect.exit(SharedCache.getOrCreate("k", Effect.die("bug")))
        expect(died).toEqual(Exit.die("bug"))
        expect(yield* Cache.counters).toMatchObject({ misses: 2, loads: 2, loadFailures: 2 })
      }).pipe(Effect.provide(layer))
    )
  })
}

describe("SharedCache", () => {
  it.effect("is the same cache as `Cache`, over one backend", () =>
    Effect.gen(function* () {
      yield* Cache.set("k", "value")
      expect(yield* SharedCache.get("k")).toEqual(Option.some("value"))
      expect(yield* SharedCache.invalidate("k")).toBe(true)
      expect(yield* Cache.get("k")).toEqual(Option.none())
    }).pipe(
      Effect.provide(
        Layer.unwrapEffect(
          Effect.map(MemoryBackend.make(), (backend) => Cache.fromBackend(backend))
        )
      )
    )
  )

  describe("fromCache", () => {
    const twice = Effect.gen(function* () {
      const user = counting(Effect.succeed("Ada"))
      for (let lookup = 0; lookup < 3; lookup++) yield* SharedCache.getOrCreate("k", user.create)
      return user.runs
    })

    it.effect("with a cache of this process alone: caches nothing, and warns once", () =>
      Effect.gen(function* () {
        const layer = Layer.provide(SharedCache.fromCache, memory.layer())
        const [runs, lines] = yield* withLog(Effect.provide(twice, layer))
        expect(runs).toBe(3)
        expect(lines).toEqual([expect.stringContaining("local to this process")])
      })
    )

    for (const [what, cache, loads] of [
      ["a cache that is shared", shared.layer(), 1],
      ["a cache that never hits", NoopCache.layer, 3]
    ] as const) {
      it.effect(`with ${what}: is that cache, and says nothing`, () =>
        Effect.gen(function* () {
          const layer = Layer.provide(SharedCache.fromCache, cache)
          const [runs, lines] = yield* withLog(Effect.provide(twice, layer))
          expect([runs, lines]).toEqual([loads, []])
        })
      )
    }
  })
})

for (const { layer, name } of [memory, shared]) {
  it.effect(`on ${name}, \`cached\` is \`getOrCreate\` for pipes`, () =>
    Effect.gen(function* () {
      const user = counting(Effect.succeed("Ada"))
      const lookup = user.create.pipe(Cache.cached("user", { ttl: "1 minute" }))
      expect([yield* lookup, yield* lookup]).toEqual(["Ada", "Ada"])
      expect(user.runs).toBe(1)
      yield* TestClock.adjust("1 minute")
      yield* lookup
      expect(user.runs).toBe(2)
    }).pipe(Effect.provide(layer()))
  )
}
