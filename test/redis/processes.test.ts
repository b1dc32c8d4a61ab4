/** Crowds from eight processes on one Redis: one load in all. */
import { describe, expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWithServer } from "../servers/describeWithServer.js"
import { seedOf } from "./chance.js"
import type { Crowd } from "./processes.worker.js"
import { counted, Eight, loadsOf, median, timed, total } from "./workers.js"

const rounds = 20

/** The same crowd in every process, at once. */
const everywhere = (crowd: Crowd) =>
  Effect.flatMap(Eight, ({ all }) =>
    Effect.map(
      Effect.forEach(
        all,
        (process, index) => process.ask("crowd", { ...crowd, seed: (crowd.seed ?? 0) + index }),
        { concurrency: "unbounded" }
      ),
      total
    )
  )

describeWithServer("eight processes over one Redis", ["redis"], () => {
  // So long a timeout, for what is counted here must not hang on how busy the machine is.
  layer(Eight.layer({ commandTimeout: 10_000 }), {
    excludeTestServices: true,
    timeout: "60 seconds"
  })((it) => {
    describe("a cold key", () => {
      it.effect(
        "is loaded once for 4,000 callers, in each of 20 rounds",
        () =>
          Effect.gen(function* () {
            const { prefix, redis } = yield* Eight
            const times: Array<number> = []
            for (let round = 0; round < rounds; round++) {
              const key = `cold-${round}`
              const { took, value } = yield* timed(
                everywhere({ key, callers: 500, millis: [50, 50] })
              )
              expect(value).toEqual({ "value 1": 4_000 })
              expect(yield* loadsOf(redis, prefix, key)).toBe(1)
              times.push(took)
            }
            console.log(
              `8 × 500 callers, a creator of 50 ms: ${times.join(" ")}; median ${median(times)} ms`
            )
          }),
        60_000
      )

      it.effect(
        "is loaded once by a creator of 0 to 2 ms for callers who come one after the other",
        () =>
          Effect.gen(function* () {
            const { prefix, redis } = yield* Eight
            const seed = seedOf("staggered callers")
            const times: Array<number> = []
            for (let round = 0; round < rounds; round++) {
              const key = `staggered-${round}`
              const { took, value } = yield* timed(
                everywhere({
                  key,
                  callers: 500,
                  millis: [0, 2],
                  within: 10,
                  seed: seed + round * 8
                })
              )
              expect(value).toEqual({ "value 1": 4_000 })
              expect(yield* loadsOf(redis, prefix, key)).toBe(1)
              times.push(took)
            }
            console.log(`8 × 500 staggered callers: ${times.join(" ")}; median ${median(times)} ms`)
          }),
        60_000
      )
    })

    it.effect("a hundred cold keys are loaded once each, side by side", () =>
      Effect.gen(function* () {
        const { prefix, redis } = yield* Eight
        const { took, value } = yield* timed(
          everywhere({ key: "hundred", keys: 100, callers: 5, millis: [100, 100] })
        )
        expect(value).toEqual({ "value 1": 8 * 100 * 5 })
        const loads = yield* Effect.forEach(
          Array.from({ length: 100 }, (_, index) => index),
          (index) => loadsOf(redis, prefix, `hundred-${index}`)
        )
        expect(new Set(loads)).toEqual(new Set([1]))
        // One after the other they would take 10 s.
        expect(took).toBeLessThan(5_000)
        console.log(`8 × 100 keys × 5 callers, a creator of 100 ms: ${took} ms`)
      })
    )

    it.effect(
      "a creator that fails is run at most once a process, and all callers get its failure",
      () =>
        Effect.gen(function* () {
          const { prefix, redis } = yield* Eight
          const millis = 300
          const { took, value } = yield* timed(
            everywhere({ key: "failing", callers: 100, millis: [millis, millis], creator: "fails" })
          )
          const loads = yield* loadsOf(redis, prefix, "failing")
          expect(Object.keys(value).every((text) => text.startsWith("refusal "))).toBe(true)
          expect(Object.values(value).reduce((sum, count) => sum + count)).toBe(800)
          expect(loads).toBeLessThanOrEqual(8)
          expect(took).toBeLessThan(2 * millis + 1_000)
          console.log(`8 × 100 callers, a creator that fails: ${loads} loads, ${took} ms`)
        })
    )

    it.effect("a failure that is cached is made once in all", () =>
      Effect.gen(function* () {
        const { prefix, redis } = yield* Eight
        const value = yield* everywhere({
          key: "refused",
          callers: 100,
          millis: [300, 300],
          creator: "fails, and that is cached"
        })
        expect(value).toEqual({ "refusal 1": 800 })
        expect(yield* loadsOf(redis, prefix, "refused")).toBe(1)
      })
    )

    it.effect("no command has failed meanwhile", () =>
      Effect.gen(function* () {
        const { all } = yield* Eight
        expect(yield* counted(all, "backendErrors")).toEqual(all.map(() => 0))
      })
    )
  })
})
