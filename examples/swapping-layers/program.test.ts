import { expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { CacheRecorder, MemoryCache, MemoryCacheLive } from "effect-larder"
import { total } from "./program.js"

const totalOf = (basket: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(total(basket))
    yield* TestClock.adjust("20 millis")
    return yield* Fiber.join(fiber)
  })

it.effect("adds up the prices in a basket", () =>
  Effect.gen(function* () {
    expect(yield* totalOf(["apple", "bread", "apple"])).toBe(7)
  }).pipe(Effect.provide(MemoryCacheLive))
)

it.effect("asks for a price once, however often it is needed", () =>
  Effect.gen(function* () {
    yield* totalOf(["apple", "bread", "apple"])
    expect(yield* CacheRecorder.loads("price:apple")).toEqual([
      { key: "price:apple", outcome: "success", millis: 20 }
    ])
  }).pipe(Effect.provide(MemoryCache.layerTest))
)
