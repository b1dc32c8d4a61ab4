/** `MemoryCacheLive`: settings from the environment, and no reason not to start. */
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as TestClock from "effect/TestClock"
import { Cache, MemoryCacheLive } from "effect-larder"
import { counting, crowd, keys, withLog } from "./world.js"

/** Runs an effect on the cache that this environment gives; with what was logged. */
const under =
  (environment: Record<string, string>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    withLog(Effect.provide(effect, MemoryCacheLive)).pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
    )

/** What can be seen of a cache's settings. */
const observed = Effect.gen(function* () {
  const user = counting(Effect.succeed("Ada"))
  yield* crowd(2, Cache.getOrCreate("user", user.create))
  const loads = user.runs
  yield* TestClock.adjust("59 minutes")
  const isKept = (yield* keys).includes("user")
  yield* TestClock.adjust("1 minute")
  const isExpired = !(yield* keys).includes("user")
  for (let key = 0; key < 10_001; key++) yield* Cache.set(`k${key}`, key)
  const { evictions } = yield* Cache.counters
  return { loads, isKept, isExpired, evictions }
})

const defaults = { loads: 1, isKept: true, isExpired: true, evictions: 2 }

describe("the environment", () => {
  it.effect("unset, the defaults hold, and nothing is said", () =>
    Effect.gen(function* () {
      expect(yield* under({})(observed)).toEqual([defaults, []])
    })
  )

  it.effect("empty is the same as unset", () =>
    Effect.gen(function* () {
      const empty = {
        LARDER_CACHE_ENABLED: "",
        LARDER_CACHE_PREFIX: " ",
        LARDER_CACHE_DEFAULT_TTL: "",
        LARDER_CACHE_CAPACITY: ""
      }
      expect(yield* under(empty)(observed)).toEqual([defaults, []])
    })
  )

  for (const text of ["60", "60.0", "1 minute", " 60 seconds "]) {
    it.effect(`LARDER_CACHE_DEFAULT_TTL=${JSON.stringify(text)} is a minute`, () =>
      Effect.gen(function* () {
        const [life, lines] = yield* under({ LARDER_CACHE_DEFAULT_TTL: text })(
          Effect.gen(function* () {
            yield* Cache.set("k", 1)
            yield* TestClock.adjust(59_999)
            const before = yield* keys
            yield* TestClock.adjust(1)
            return [before, yield* keys]
          })
        )
        expect(life).toEqual([["k"], []])
        expect(lines).toEqual([])
      })
    )
  }

  it.effect("LARDER_CACHE_CAPACITY is how many entries it holds", () =>
    Effect.gen(function* () {
      const [held] = yield* under({ LARDER_CACHE_CAPACITY: "2" })(
        Effect.gen(function* () {
          for (const key of ["a", "b", "c"]) yield* Cache.set(key, 1)
          return yield* keys
        })
      )
      expect(held).toEqual(["b", "c"])
    })
  )

  it.effect("LARDER_CACHE_PREFIX names the cache in its metrics", () =>
    Effect.gen(function* () {
      yield* under({ LARDER_CACHE_PREFIX: "from-the-environment" })(Cache.get("k"))
      const names = (yield* Metric.snapshot).flatMap(({ metricKey }) =>
        metricKey.tags.filter(({ key }) => key === "cache").map(({ value }) => value)
      )
      expect(names).toContain("from-the-environment")
    })
  )

  for (const text of ["false", "False", "0", "no", "off", " false "]) {
    it.effect(`LARDER_CACHE_ENABLED=${JSON.stringify(text)} gives a cache that never hits`, () =>
      Effect.gen(function* () {
        const user = counting(Effect.succeed("Ada"))
        const [health, lines] = yield* under({ LARDER_CACHE_ENABLED: text })(
          Effect.zipRight(crowd(3, Cache.getOrCreate("user", user.create)), Cache.health)
        )
        expect(user.runs).toBe(3)
        expect(health.backend).toBe("noop")
        expect(lines).toEqual([])
      })
    )
  }

  for (const [name, texts] of [
    ["LARDER_CACHE_ENABLED", ["maybe", "constructor", "2"]],
    ["LARDER_CACHE_PREFIX", ["a:b", "app*", "x".repeat(65)]],
    ["LARDER_CACHE_DEFAULT_TTL", ["soon", "-5", "1 parsec"]],
    ["LARDER_CACHE_CAPACITY", ["0", "-1", "many", "1e3", "1.5"]]
  ] as const) {
    it.effect(`a bad ${name} is one warning, and the default holds`, () =>
      Effect.gen(function* () {
        for (const text of texts) {
          const [health, lines] = yield* under({ [name]: text })(Cache.health)
          expect(health.backend).toBe("memory")
          expect(lines, text).toEqual([expect.stringContaining(`${name} is "${text}"`)])
          expect(lines[0]).toMatch(/default; allowed: ./)
        }
        const [seen] = yield* under({ [name]: texts[0] })(observed)
        expect(seen).toEqual(defaults)
      })
    )
  }
})
