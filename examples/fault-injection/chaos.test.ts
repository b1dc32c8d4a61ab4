import { expect, it } from "@effect/vitest"
import { Effect, Option, Random } from "effect"
import { Cache, MemoryBackend } from "effect-larder"
import { ChaosBackend } from "effect-larder/testing"

it.scopedLive("callers bear whatever the backend does", () =>
  Effect.gen(function* () {
    const chaos = yield* ChaosBackend.make(yield* MemoryBackend.make(), {
      failures: 0.2,
      lostReplies: 0.2,
      throws: 0.1,
      delays: 0.2,
      longestDelay: "5 millis"
    })
    const callers = Effect.gen(function* () {
      for (let price = 1; price <= 100; price++) {
        yield* Cache.invalidate("bread")
        expect(yield* Cache.getOrCreate("bread", Effect.succeed(price))).toBe(price)
      }
      yield* chaos.calm
      yield* Cache.set("bread", 4)
      expect(yield* Cache.get("bread")).toEqual(Option.some(4))
    })
    // Under a circuit breaker a backend like this would soon be left alone.
    const CacheLive = Cache.fromBackend(chaos.backend, { breaker: { enabled: false } })
    yield* Effect.provide(callers, CacheLive)
    expect((yield* chaos.counts).lostReplies).toBeGreaterThan(10)
  }).pipe(Effect.withRandom(Random.make("a seed: the same happens in each run")))
)
