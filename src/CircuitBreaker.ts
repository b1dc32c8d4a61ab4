/**
 * A circuit breaker: what keeps failing is left alone for a while, instead of every caller
 * waiting for it to fail again.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { CircuitBreaker, Options } from "./core/breaker.js"
import * as Core from "./core/breaker.js"

export type { CircuitBreaker, CircuitState, Options, Transition } from "./core/breaker.js"

/**
 * A circuit breaker, closed. Make one for each thing that may fail on its own, and keep it:
 * its state is what it has seen, in this process alone.
 *
 * After `failureThreshold` failures in a row it is open, and calls fail with `CircuitOpen`
 * without being begun. When `openFor` is over, calls are let through again, but at most
 * `successThreshold` at a time; so many successes close it, and one failure opens it again.
 *
 * It sets no limit to a call's time: a call that is to be given up is given a limit of its
 * own, within `execute`, so that it counts as a failure. Who interrupts `execute` from
 * without has said nothing of what was called. Time, logs and metrics are those of where it
 * is made. A wrong option is a defect.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { CircuitBreaker } from "effect-larder"
 *
 * const charge = Effect.tryPromise(() => fetch("https://payments.example/charge"))
 *
 * const program = Effect.gen(function* () {
 *   const payments = yield* CircuitBreaker.make({ name: "payments", openFor: "30 seconds" })
 *   return yield* charge.pipe(Effect.timeout("2 seconds"), payments.execute)
 * }).pipe(
 *   Effect.catchTag("CircuitOpen", ({ retryAfter }) => Effect.log(`again in ${retryAfter}`))
 * )
 *
 * Effect.runPromise(program)
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: (options?: Options) => Effect.Effect<CircuitBreaker> = Core.make
