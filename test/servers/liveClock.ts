import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Under a test's clock, which stands still, nobody would wait for a real server. */
export const liveClock: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.withClock(Clock.make())
