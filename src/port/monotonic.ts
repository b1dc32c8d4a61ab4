/** In-process time: Effect's `Clock`, monotonic when live, in milliseconds. A server's is reckoned from it. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** Nearly all fibers have the same default services: the clock is looked up in them once. */
let last: { readonly services: unknown; readonly clock: Clock.Clock } = {
  services: undefined,
  clock: Clock.make()
}

/**
 * Milliseconds that only ever grow. Read straight from the fiber: a hit has no
 * room for a second node. (`unsafeCurrentTimeMillis` would follow the wall
 * clock, and an entry would live an hour longer when someone sets it back.)
 */
export const unsafeNow = (fiber: Fiber.RuntimeFiber<any, any>): number => {
  const services = fiber.currentDefaultServices
  if (services !== last.services) last = { services, clock: Context.get(services, Clock.Clock) }
  return Number(last.clock.unsafeCurrentTimeNanos()) / 1e6
}

export const now: Effect.Effect<number> = Effect.withFiberRuntime((fiber) =>
  Effect.succeed(unsafeNow(fiber))
)
