import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { cacheEnvironment, redisUrl } from "../../src/core/environment.js"

const given =
  (variables: Readonly<Record<string, string>>) =>
  <A>(effect: Effect.Effect<A>): Effect.Effect<A> =>
    Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("the environment", () => {
  it.effect.each([
    ["10", Duration.seconds(10)],
    ["1500 millis", Duration.millis(1_500)],
    ["0", undefined],
    ["Infinity", undefined],
    ["soon", undefined],
    ["", undefined]
  ] as const)("LARDER_CACHE_LOCK_TIMEOUT=%s sets how long a lease lives", ([text, expected]) =>
    Effect.gen(function* () {
      const { lease } = yield* cacheEnvironment.pipe(given({ LARDER_CACHE_LOCK_TIMEOUT: text }))
      expect(lease.duration).toEqual(expected)
    })
  )

  it.effect.each([
    [{ LARDER_CACHE_REDIS_URL: "redis://one", REDIS_URL: "redis://two" }, "redis://one"],
    [{ LARDER_CACHE_REDIS_URL: " ", REDIS_URL: "redis://two" }, "redis://two"],
    [{}, undefined]
  ] as ReadonlyArray<readonly [Record<string, string>, string | undefined]>)(
    "the first address that is set is Redis's: %o",
    ([variables, expected]) =>
      Effect.gen(function* () {
        const url = yield* redisUrl.pipe(given(variables))
        expect(url === undefined ? undefined : Redacted.value(url)).toBe(expected)
        expect(String(url)).not.toContain("redis://")
      })
  )
})
