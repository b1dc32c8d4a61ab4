/** Crowds from eight processes on one Redis: one load in all. */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWithServer } from "../servers/describeWithServer.js"
import { seedOf } from "./chance.js"
import type { Crowd } from "./processes.worker.js"
import { counted, crowdEverywhere, Eight, loadsOf, median, timed } from "./workers.js"

/** Each on a key of its own, which is loaded once; prints how long they took. */
const playRounds = (subject: string, crowdOf: (round: number) => Crowd) =>
  Effect.gen(function* () {
    const { all, prefix, redis } = yield* Eight
    const times: Array<number> = []
    for (let round = 0; round < 20; round++) {
      const crowd = crowdOf(round)
      const { took, value } = yield* timed(crowdEverywhere(all, crowd))
      expect(value).toEqual({ "value 1": all.length * crowd.callers })
      expect(yield* loadsOf(redis, prefix, crowd.key)).toBe(1)
      times.push(took)
    }
    // Without one that waits, these would have been hits and nothing else.
    expect(Math.max(...(yield* counted(all, "waits")))).toBeGreaterThan(0)
    console.log(`${subject}: ${times.join(" ")}; median ${median(times)} ms`)
    yield* expectNoFaults
  })

/** A command that fails may cost a load: what is counted here would be another matter. */
const expectNoFaults = Effect.gen(function* () {
  const { all } = yield* Eight
  expect(yield* counted(all, "backendErrors")).toEqual(all.map(() => 0))
})

describeWithServer("eight processes over one Redis", ["redis"], () => {
  // So long a timeout, for the count of loads must not hang on how busy the machine is.
  layer(Eight.layer({ commandTimeout: 10_000 }), {
    excludeTestServices: true,
    timeout: "60 seconds"
  })((it) => {
    it.effect(
      "load a cold key once for 4,000 callers, in 20 rounds of 20",
      () =>
        playRounds("8 × 500 callers, a creator of 50 ms", (round) => ({
          key: `cold-${round}`,
          callers: 500,
          millis: [50, 50]
        })),
      120_000
    )

    it.effect(
      "load it once for callers who come one after the other, and a creator of 0 to 2 ms",
      () => {
        const seed = seedOf("staggered callers")
        return playRounds("8 × 100 staggered callers, a creator of 0 to 2 ms", (round) => ({
          key: `staggered-${round}`,
          callers: 100,
          millis: [0, 2],
          within: 10,
          seed: seed + round * 8
        }))
      },
      120_000
    )

    it.effect("load a hundred cold keys once each, side by side", () =>
      Effect.gen(function* () {
        const { all, prefix, redis } = yield* Eight
        const { took, value } = yield* timed(
          crowdEverywhere(all, { key: "hundred", keys: 100, callers: 5, millis: [100, 100] })
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
        yield* expectNoFaults
      })
    )

    it.effect("run a creator that fails at most once each, and all callers get its failure", () =>
      Effect.gen(function* () {
        const { all, prefix, redis } = yield* Eight
        const load = 300
        const { took, value } = yield* timed(
          crowdEverywhere(all, {
            key: "failing",
            callers: 100,
            millis: [load, load],
            creator: "fails"
          })
        )
        const loads = yield* loadsOf(redis, prefix, "failing")
        // Each with the number of the load it is of.
        const refusals = Array.from({ length: loads }, (_, index) => `refusal ${index + 1}`)
        expect(Object.keys(value).toSorted()).toEqual(refusals.toSorted())
        expect(Object.values(value).reduce((sum, count) => sum + count)).toBe(800)
        expect(loads).toBeLessThanOrEqual(8)
        expect(took).toBeLessThan(2 * load + 1_000)
        console.log(`8 × 100 callers, a creator that fails: ${loads} loads, ${took} ms`)
        yield* expectNoFaults
      })
    )

    it.effect("run a creator once whose failure is cached, and all callers get that", () =>
      Effect.gen(function* () {
        const { all, prefix, redis } = yield* Eight
        const value = yield* crowdEverywhere(all, {
          key: "refused",
          callers: 100,
          millis: [300, 300],
          creator: "fails, and that is cached"
        })
        expect(value).toEqual({ "refusal 1": 800 })
        expect(yield* loadsOf(redis, prefix, "refused")).toBe(1)
        yield* expectNoFaults
      })
    )
  })
})
