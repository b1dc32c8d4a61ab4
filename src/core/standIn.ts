/** What is stale, in the hand of a caller that waits for a rebuild, and when it is given that. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import { unsafeNow } from "../port/monotonic.js"
import { isCacheable } from "./entry.js"
import type { Entry } from "./l1.js"
import { millis } from "./option.js"
import type { Path } from "./path.js"
import * as Rebuild from "./rebuild.js"
import { count, type Request, surroundingsOf } from "./request.js"
import { standsIn } from "./stale.js"

/** Waits for the result; undefined: this caller has waited long enough, with an entry in hand. */
export const awaitEnd = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  request: Request
): Effect.Effect<Rebuild.Settled | undefined> => {
  const { inHand, fiber, options } = request
  // With `background: false` nothing may go on behind.
  if (inHand === undefined || options.softTimeout === undefined || options.background === false) {
    return Rebuild.awaitEnd(rebuild, request)
  }
  const now = unsafeNow(fiber)
  // From the first wait on, however often it goes round.
  request.softUntil ??= now + millis("softTimeout", options.softTimeout, Infinity)
  const until = Math.max(now, request.softUntil)
  return standsIn(path, request, inHand, until)
    ? awaitEndFor(until - now, rebuild, request)
    : Rebuild.awaitEnd(rebuild, request)
}

/**
 * No race: its fibers are children of the caller's, and are interrupted with it, also where
 * the caller itself cannot be. It would be given an interruption, and would have left.
 */
const awaitEndFor = (
  millis: number,
  rebuild: Rebuild.Rebuild,
  request: Request
): Effect.Effect<Rebuild.Settled | undefined> =>
  Effect.async((resume) => {
    const timer = Runtime.runFork(surroundingsOf(request.fiber))(Effect.sleep(millis))
    const stop = (): void => timer.unsafeInterruptAsFork(FiberId.none)
    timer.addObserver(() => resume(Effect.succeed(undefined)))
    Rebuild.listen(rebuild, request, (settled) => {
      resume(settled)
      stop()
    })
    return Effect.sync(stop)
  })

export const serveStale = (request: Request, entry: Entry): Effect.Effect<any, any> => {
  count(request, "stale")
  return entry.exit
}

/** In place of how a rebuild ended; undefined: nothing stands in for that. */
export const inPlaceOf = (
  exit: Exit.Exit<any, any>,
  path: Path,
  rebuild: Rebuild.Rebuild,
  request: Request
): Effect.Effect<any, any> | undefined => {
  const { inHand, fiber, region } = request
  if (Exit.isSuccess(exit) || inHand === undefined || path.isClosed) return undefined
  // A failure that is cached is an answer like any other.
  if (isCacheable(region, exit)) return undefined
  if (!standsIn(path, request, inHand, unsafeNow(fiber))) return undefined
  return Effect.zipRight(tell(path, rebuild), serveStale(request, inHand))
}

/** Once a rebuild, however many it concerns. */
const tell = (path: Path, rebuild: Rebuild.Rebuild): Effect.Effect<void> => {
  if (rebuild.hasFallenBack) return Effect.void
  rebuild.hasFallenBack = true
  path.events.emit({ _tag: "staleIfError", key: rebuild.key })
  return Effect.logDebug("A rebuild failed; the stale entry is served in its place")
}
