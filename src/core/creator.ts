/** Running the user's creator: its scope, its surroundings, its span. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Created } from "./entry.js"
import { currentFlight } from "./nesting.js"
import { type Path, tick } from "./path.js"
import { type Request, surroundingsOf } from "./request.js"
import type { Rebuild } from "./rebuild.js"

/** The creator, with a scope of its own, in the surroundings of the one who leads. */
export const runCreator = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  isFirst: boolean
): Effect.Effect<Exit.Exit<any, any>> => {
  const running = Effect.withFiberRuntime<any, any>((fiber) => {
    rebuild.span = fiber.currentSpan
    rebuild.beganAt = tick(path)
    leader.tally.loads++
    return withScope(fiber, rebuild, leader.create)
  })
  const creator = isTraced(leader) ? withSpan(path, rebuild, leader, running) : running
  return Effect.exit(Effect.interruptible(isFirst ? creator : inSurroundings(leader, creator)))
}

/**
 * The fiber has nothing else to do: what it is told is set for good. To set it
 * for the creator alone (`locally`, `scoped`) would copy all its refs twice more.
 */
const withScope = <A, E>(
  fiber: Fiber.RuntimeFiber<any, any>,
  rebuild: Rebuild,
  create: Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E> =>
  Effect.flatMap(Scope.make(), (scope) =>
    FiberRef.set(currentFlight, rebuild).pipe(
      Effect.zipRight(
        FiberRef.set(
          FiberRef.currentContext,
          Context.add(fiber.currentContext, Scope.Scope, scope) as Context.Context<never>
        )
      ),
      Effect.zipRight(create as Effect.Effect<A, E>),
      Effect.onExit((exit) => Scope.close(scope, exit))
    )
  )

const nativeTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** A span costs as much as the rest of a miss: none where nobody would see it. */
const isTraced = ({ fiber, span }: Request): boolean =>
  span !== undefined || fiber.currentTracer !== nativeTracer

const withSpan = <A, E>(
  path: Path,
  rebuild: Rebuild,
  { span }: Request,
  creator: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.withSpan(creator, "larder.create", {
    attributes: { "larder.cache": path.name, "larder.key": rebuild.key.slice(0, 256) },
    captureStackTrace: false,
    // What runs behind outlives the reader's span, and is only linked to it.
    ...(rebuild.isBackground && {
      root: true,
      links: span === undefined ? [] : [{ _tag: "SpanLink", span, attributes: {} }]
    })
  })

/**
 * Runs a creator for a caller that is not the one who opened the rebuild: the
 * fiber of the rebuild has the surroundings of one who has left, whose
 * transaction or connection may have ended with it.
 */
const inSurroundings = <A, E>(leader: Request, creator: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.acquireUseRelease(
    Effect.sync(() => Runtime.runFork(surroundingsOf(leader.fiber))(creator)),
    (fiber) => Effect.flatten(Fiber.await(fiber)),
    (fiber) => Fiber.interrupt(fiber)
  )

/** Counts a load that has ended, and tells whoever records them. */
export const countLoad = (path: Path, { key, tally }: Request, { delta, exit }: Created): void => {
  const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
  if (Exit.isFailure(exit) && !isInterrupted) tally.loadFailures++
  path.onLoad?.({
    key,
    outcome: Exit.isSuccess(exit) ? "success" : isInterrupted ? "interrupted" : "failure",
    millis: delta
  })
}
