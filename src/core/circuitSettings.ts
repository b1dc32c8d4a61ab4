/** Settings of a circuit breaker: checked and turned into plain numbers once, when it is made. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type { Rules } from "../policy/circuit.js"
import { openFor } from "./openFor.js"
import { wrong } from "./option.js"

/**
 * Settings of a circuit breaker. A wrong one is a defect.
 *
 * - `name`: labels errors, logs and metrics; default `default`
 * - `failureThreshold`: so many failures in a row open it; default 5
 * - `openFor`: how long it then lets nobody through; default 15 seconds. Of a schedule the
 *   first delay when it opens, and the next one each time a recovery fails, until it has
 *   been closed; after its end the last
 * - `successThreshold`: so many successes in half-open close it, and at most so many calls
 *   are let through at a time to find out; default 2
 * - `isFailure`: whether the error that a call failed with, or its defect, speaks against
 *   what is called; default: all do. One that does not counts as a success: something
 *   answered. If it throws, it does. It is not asked of interruptions, which are neither
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly name?: string | undefined
  readonly failureThreshold?: number | undefined
  readonly openFor?: Duration.DurationInput | Schedule.Schedule<unknown> | undefined
  readonly successThreshold?: number | undefined
  readonly isFailure?: ((error: unknown) => boolean) | undefined
}

interface Settings {
  readonly name: string
  readonly isFailure: (error: unknown) => boolean
  readonly rules: Rules
}

/** Dies where a setting is wrong. */
export const settings = (
  options: Options,
  reopensFrom: Rules["reopensFrom"]
): Effect.Effect<Settings> =>
  Effect.map(openFor(options.openFor), (openFor) => ({
    name: options.name ?? "default",
    isFailure: judgeBy(options.isFailure ?? (() => true)),
    rules: {
      failureThreshold: threshold("failureThreshold", options.failureThreshold, 5),
      successThreshold: threshold("successThreshold", options.successThreshold, 2),
      openFor,
      reopensFrom
    }
  }))

/** What the user's own throws is nothing that a caller is to hear of. */
export const judgeBy =
  (judge: (error: unknown) => boolean) =>
  (error: unknown): boolean => {
    try {
      return judge(error)
    } catch {
      return true
    }
  }

const threshold = (name: string, given: number | undefined, otherwise: number): number => {
  const count = given ?? otherwise
  if (!Number.isSafeInteger(count) || count < 1) {
    throw wrong(name, count, "a whole number from 1 up")
  }
  return count
}
