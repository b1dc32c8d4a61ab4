/** A lease lives as long as its holder shows signs of life. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { fullKey, type L2, type Path } from "./path.js"
import type { Request } from "./request.js"

/**
 * Keeps the lease alive while the creator runs, up to `maxHold`. A renewal in
 * doubt is tried again; only "not yours" ends it. The creator is not told: the
 * commit decides.
 */
export const whileRenewing = <A>(
  path: Path,
  l2: L2,
  leader: Request,
  token: string,
  creator: Effect.Effect<A>
): Effect.Effect<A> => {
  const { leaseDuration, maxHold } = path.defaults
  const interval = leaseDuration / 3
  const renew = l2.backend.renew(fullKey(path, leader.key), token, leaseDuration).pipe(
    Effect.catchAllCause((cause) => {
      leader.tally.backendErrors++
      return Effect.as(path.log.fault("renew", Cause.squash(cause)), true)
    })
  )
  const renewing = (heldFor: number): Effect.Effect<void> =>
    heldFor + interval > maxHold
      ? Effect.void
      : Effect.flatMap(Effect.delay(renew, interval), (isOurs) =>
          isOurs ? renewing(heldFor + interval) : Effect.void
        )
  return Effect.acquireUseRelease(
    Effect.fork(Effect.interruptible(renewing(0))),
    () => creator,
    Fiber.interrupt
  )
}
