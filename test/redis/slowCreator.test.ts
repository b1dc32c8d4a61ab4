/** Slow, on purpose: what the defaults do when a creator outlives the lease it was granted. */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { describeWithServer } from "../servers/describeWithServer.js"
import { counted, crowdEverywhere, Eight, loadsOf } from "./workers.js"

describeWithServer("a creator of 13 s (slow)", ["redis"], () => {
  layer(Eight.layer(), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect(
      "is run once for eight processes, whose lease is of 5 s",
      () =>
        Effect.gen(function* () {
          const { all, prefix, redis } = yield* Eight
          const value = yield* crowdEverywhere(all, {
            key: "slow",
            callers: 10,
            millis: [13_000, 13_000]
          })
          expect(value).toEqual({ "value 1": 80 })
          expect(yield* loadsOf(redis, prefix, "slow")).toBe(1)
          expect(yield* counted(all, "fencedWrites")).toEqual(all.map(() => 0))
        }),
      60_000
    )
  })
})
