import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import { interruptions } from "../../reliability/scenarios/interruptions.js"
import { seedOf } from "../redis/chance.js"
import { describeWithServer } from "../servers/describeWithServer.js"

describeWithServer(
  "Callers who give up at random while faults come and go",
  ["redis-server"],
  () => {
    const seed = seedOf("callers who give up")

    it.live(
      "leave no flight, waiter, permit, lease, fiber or connection behind",
      () =>
        Effect.gen(function* () {
          const { interrupted, lookups, outages, ...left } = yield* interruptions("10 seconds")
          expect(left).toEqual({
            flights: 0,
            waiters: 0,
            pending: 0,
            leases: 0,
            fibers: 0,
            sockets: 0,
            permits: 0
          })
          expect(interrupted).toBeGreaterThan(100)
          expect(lookups).toBeGreaterThan(interrupted)
          expect(outages).toBeGreaterThan(3)
        }).pipe(
          Effect.withRandom(Random.make(seed)),
          Effect.provide(Logger.remove(Logger.defaultLogger))
        ),
      60_000
    )
  }
)
