/** Finding out, behind, that L2 is back: no caller's request is a probe. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { BackendError } from "../port/CacheBackend.js"
import type { Breaker } from "./breaker.js"

/** Of many processes that have lost the same server, not all ask at once: up to so much later. */
const jitter = 0.05

/** In milliseconds: not more often, however short a time the circuit is to be open. */
const shortestPause = 100

/** So often it is looked for a connection, in as long as the circuit was to be open. */
const looks = 20

/**
 * Probes while the circuit is not closed, one at a time. It begins at once if the
 * circuit is open already.
 *
 * Without a connection nothing could be sent, and to fail at that says nothing of the
 * server: it may be back, and the driver about to connect. So a probe waits for one, and the
 * circuit is not opened anew. A backend may be mistaken, though, and of several connections one may
 * never come: now and then it is asked all the same.
 */
export const recover = (
  breaker: Breaker,
  isReachable: () => boolean,
  probe: Effect.Effect<unknown, BackendError>,
  fork: (recovering: Effect.Effect<void>) => void
): void => {
  // One that is interrupted from within would say nothing, and the next would come at once.
  const answered = Effect.catchAllCause(probe, (cause) =>
    Cause.isInterruptedOnly(cause) ? Effect.die("interrupted") : Effect.failCause(cause)
  )
  let isRecovering = false
  const recovering: Effect.Effect<void> = Effect.suspend(() => {
    if (breaker.unsafeState() === "closed") {
      isRecovering = false
      return Effect.void
    }
    const wait = Math.max(shortestPause, breaker.unsafeRetryAfter())
    const due =
      breaker.unsafeState() === "open"
        ? Effect.zipRight(pause(wait), connected(isReachable, answered, wait / looks))
        : Effect.void
    return due.pipe(
      Effect.zipRight(Effect.exit(breaker.execute(answered))),
      Effect.zipRight(recovering)
    )
  })
  const begin = (): void => {
    if (isRecovering || breaker.unsafeState() === "closed") return
    isRecovering = true
    fork(recovering)
  }
  breaker.onTransition(begin)
  begin()
}

/** Whole milliseconds: a timer that rings a fraction early would find it open. */
const pause = (millis: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) => Effect.sleep(Math.ceil(millis * (1 + jitter * random))))

/** Returns once there is a connection, or an answer without. */
const connected = (
  isReachable: () => boolean,
  probe: Effect.Effect<unknown, BackendError>,
  every: number,
  left = looks
): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (isReachable()) return Effect.void
    if (left > 0) {
      const later = Effect.sleep(Math.ceil(every))
      return Effect.zipRight(later, connected(isReachable, probe, every, left - 1))
    }
    return Effect.matchCauseEffect(probe, {
      onFailure: () => connected(isReachable, probe, every),
      onSuccess: () => Effect.void
    })
  })

/** Returns once the circuit is closed. */
export const untilClosed = (breaker: Breaker): Effect.Effect<void> => {
  const waiting = new Set<() => void>()
  breaker.onTransition(({ to }) => {
    if (to !== "closed") return
    for (const wake of waiting) wake()
    waiting.clear()
  })
  return Effect.async((resume) => {
    if (breaker.unsafeState() === "closed") return resume(Effect.void)
    const wake = (): void => resume(Effect.void)
    waiting.add(wake)
    return Effect.sync(() => void waiting.delete(wake))
  })
}
