import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { DistributedLock, MemoryLock } from "effect-larder"

it.scoped("50 waiters all get their turn", () =>
  Effect.gen(function* () {
    const order: Array<number> = []
    const fibers = yield* Effect.forkAll(
      Array.from({ length: 50 }, (_, index) =>
        DistributedLock.withLock("a")(
          Effect.zipRight(
            Effect.sync(() => order.push(index)),
            Effect.sleep("10 millis")
          )
        )
      )
    )
    for (let i = 0; i < 60; i++) yield* TestClock.adjust("10 millis")
    yield* Fiber.join(fibers)
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index))
  }).pipe(Effect.provide(MemoryLock.layer))
)
