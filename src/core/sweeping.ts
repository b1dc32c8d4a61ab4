/** Giving back the room of what has expired. */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { StorageError } from "../port/StorageBackend.js"
import { millis } from "./option.js"
import type { Service } from "./storage.js"

/**
 * What is removed besides what has expired.
 *
 * - `olderThan`: of the entries that do not expire, those that were set longer ago
 *
 * @since 0.1.0
 * @category models
 */
export interface CleanupOptions {
  readonly olderThan?: Duration.DurationInput | undefined
}

export const cleanup = (
  { backend }: Service,
  options: CleanupOptions
): Effect.Effect<number, StorageError> => Effect.suspend(() => backend.cleanup(ageOf(options)))

const ageOf = ({ olderThan }: CleanupOptions): number | undefined =>
  olderThan === undefined ? undefined : millis("olderThan", olderThan, 0)

/**
 * The first time after the first delay: where several processes start, they do not sweep at once.
 *
 * A wrong `olderThan` is a defect here and now: nobody looks at the fiber.
 */
export const sweep = <Out, R>(
  { backend }: Service,
  schedule: Schedule.Schedule<Out, unknown, R>,
  options: CleanupOptions
): Effect.Effect<Fiber.RuntimeFiber<unknown>, never, R | Scope.Scope> =>
  Effect.suspend(() => {
    const age = ageOf(options)
    // Defects too: a driver's bug at night must not be the end of all cleaning up.
    const once = Effect.catchAllCause(
      Effect.suspend(() => backend.cleanup(age)),
      (cause) => {
        const error = Cause.squash(cause)
        const why = error instanceof Error ? error.message : String(error)
        return Effect.logWarning(`Cleaning up a storage failed, and will be tried again: ${why}`)
      }
    )
    return Effect.forkScoped(Effect.interruptible(Effect.schedule(once, schedule)))
  })
