import { expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { CacheRecorder, MemoryCache } from "effect-larder"
import { total } from "./program.js"

it.effect("a price is asked for once, however often it is needed", () =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(total(["apple", "bread", "apple"]))
    yield* TestClock.adjust("20 millis")

    expect(yield* Fiber.join(fiber)).toBe(7)
    expect(yield* CacheRecorder.loads("price:apple")).toEqual([
      { key: "price:apple", outcome: "success", millis: 20 }
    ])
  }).pipe(Effect.provide(MemoryCache.layerTest))
)
