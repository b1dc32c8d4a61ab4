import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { given, storageTtl } from "../../src/core/storageEnvironment.js"

const under =
  (variables: Readonly<Record<string, string>>) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(Object.entries(variables))))

describe("the environment of storages", () => {
  it.effect.each([
    [{}, undefined],
    [{ NAME: "" }, undefined],
    [{ NAME: "  " }, undefined],
    [{ NAME: " larder.db " }, "larder.db"]
  ] as ReadonlyArray<readonly [Record<string, string>, string | undefined]>)(
    "what is unset and what is empty are the same: %o",
    ([variables, expected]) =>
      Effect.gen(function* () {
        expect(yield* under(variables)(given("NAME"))).toBe(expected)
      })
  )

  it.effect.each([
    ["60", 60_000],
    [" 60 ", 60_000],
    ["0.25", 250],
    ["Infinity", Infinity],
    ["", undefined]
  ] as const)("LARDER_STORAGE_TTL_SECONDS=%s sets how long entries live", ([text, expected]) =>
    Effect.gen(function* () {
      expect(yield* under({ LARDER_STORAGE_TTL_SECONDS: text })(storageTtl)).toBe(expected)
    })
  )

  it.effect.each(["0", "0.0", "-1", "1 hour", "1e3", ".5", "5.", "NaN", "-Infinity"])(
    "LARDER_STORAGE_TTL_SECONDS=%s is an error, which says what is allowed",
    (text) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(under({ LARDER_STORAGE_TTL_SECONDS: text })(storageTtl))
        expect(String(error)).toContain(
          `it is ${JSON.stringify(text)}; allowed: seconds, above zero, or Infinity, for good`
        )
        expect(String(error)).toContain("LARDER_STORAGE_TTL_SECONDS")
      })
  )
})
