/** In-process time: Effect's `Clock`, monotonic when live, in milliseconds. A server's is reckoned from it. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

const timeOf = (clock: Clock.Clock): number => Number(clock.unsafeCurrentTimeNanos()) / 1e6

const live = Context.get(DefaultServices.liveServices, Clock.Clock)

// oxlint-disable-next-line eslint/no-restricted-globals -- what the live clock itself reads
const platform = performance // to fetch it from the globals is a quarter of the price of a read

/** The live clock counts from here, in BigInts: to read the platform instead is half the price. */
const origin = timeOf(live) - platform.now()

/** The same milliseconds, of a clock at hand. */
export const nowOf = (clock: Clock.Clock): number =>
  clock === live ? origin + platform.now() : timeOf(clock)

/** Nearly all fibers have the same default services: the clock is looked up in them once. */
let last: { readonly services: unknown; readonly clock: Clock.Clock } = {
  services: DefaultServices.liveServices,
  clock: live
}

/**
 * Milliseconds that only ever grow. Read straight from the fiber: a hit has no
 * room for a second node. (`unsafeCurrentTimeMillis` would follow the wall
 * clock, and an entry would live an hour longer when someone sets it back.)
 */
export const unsafeNow = (fiber: Fiber.RuntimeFiber<any, any>): number => {
  const services = fiber.currentDefaultServices
  if (services !== last.services) last = { services, clock: Context.get(services, Clock.Clock) }
  return nowOf(last.clock)
}

export const now: Effect.Effect<number> = Effect.withFiberRuntime((fiber) =>
  Effect.succeed(unsafeNow(fiber))
)
