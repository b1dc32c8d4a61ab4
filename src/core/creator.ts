/** Running the user's creator: its scope, its surroundings, its span. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { currentFlight } from "./nesting.js"
import { type Path, tick } from "./path.js"
import type { Rebuild } from "./rebuild.js"
import type { Request } from "./request.js"

/** The creator, with a scope of its own, in the surroundings of the one who leads. */
export const runCreator = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  isFirst: boolean
): Effect.Effect<Exit.Exit<any, any>> => {
  const creator = Effect.withFiberRuntime<any, any>((fiber) => {
    rebuild.span = fiber.currentSpan
    rebuild.beganAt = tick(path)
    leader.tally.loads++
    return Effect.scoped(leader.create)
  }).pipe(
    Effect.withSpan("larder.create", {
      attributes: { "larder.cache": path.name, "larder.key": rebuild.key.slice(0, 256) },
      ...(rebuild.isBackground && {
        root: true,
        links: leader.span ? [{ _tag: "SpanLink", span: leader.span, attributes: {} }] : []
      })
    }),
    Effect.locally(currentFlight, rebuild)
  )
  return Effect.exit(Effect.interruptible(isFirst ? creator : inSurroundings(leader, creator)))
}

/**
 * Runs a creator for a caller that is not the one who opened the rebuild: the
 * fiber of the rebuild has the surroundings of one who has left, whose
 * transaction or connection may have ended with it.
 */
const inSurroundings = <A, E>(leader: Request, creator: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      Runtime.runFork(
        Runtime.make({ ...Runtime.defaultRuntime, fiberRefs: leader.fiber.getFiberRefs() })
      )(creator)
    ),
    (fiber) => Effect.flatten(Fiber.await(fiber)),
    (fiber) => Fiber.interrupt(fiber)
  )

/** Counts a load that has ended, and tells whoever records them. */
export const countLoad = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  exit: Exit.Exit<any, any>,
  millis: number
): void => {
  const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
  if (Exit.isFailure(exit) && !isInterrupted) leader.tally.loadFailures++
  path.onLoad?.({
    key: rebuild.key,
    outcome: Exit.isSuccess(exit) ? "success" : isInterrupted ? "interrupted" : "failure",
    millis
  })
}
