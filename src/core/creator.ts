/** Running the user's creator: its scope, its surroundings, its span. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as DefaultServices from "effect/DefaultServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { Created } from "./entry.js"
import { forkFor } from "./forkFor.js"
import { type Path, tick } from "./path.js"
import type { Request } from "./request.js"
import type { Rebuild } from "./rebuild.js"

/**
 * Runs the creator, closes its scope, and goes on with how that ended. For a region in which
 * nothing else is interruptible.
 */
export const runCreator = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  isFirst: boolean,
  scope: Scope.CloseableScope,
  next: (exit: Exit.Exit<any, any>) => Effect.Effect<void>
): Effect.Effect<void> => {
  const running = Effect.suspend<any, any, never>(() => {
    rebuild.beganAt = tick(path)
    leader.tally.loads++
    // The fiber that runs it provides the scope.
    return leader.create as Effect.Effect<any, any>
  })
  if (isFirst && !isTraced(leader)) return closing(scope, running, next)
  const creator = isTraced(leader)
    ? Effect.exit(
        withSpan(
          path,
          rebuild,
          leader,
          closing(scope, spanned(rebuild, running), (exit) => exit)
        )
      )
    : closing(scope, running, Exit.succeed)
  return Effect.flatMap(isFirst ? creator : inSurroundings(rebuild, leader, scope, creator), next)
}

/**
 * `Effect.onExit` would be uninterruptible once more: a third of what a creator costs. And
 * to hand the exit on in a step of its own is a tenth.
 */
const closing = <A, E, B, E2>(
  scope: Scope.CloseableScope,
  creator: Effect.Effect<A, E>,
  next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2> =>
  Effect.matchCauseEffect(Effect.interruptible(creator), {
    onFailure: (cause) => close(scope, Exit.failCause(cause), next),
    onSuccess: (value) => close(scope, Exit.succeed(value), next)
  })

const close = <A, E, B, E2>(
  scope: Scope.CloseableScope,
  exit: Exit.Exit<A, E>,
  next: (exit: Exit.Exit<A, E>) => Effect.Effect<B, E2>
): Effect.Effect<B, E2> =>
  Effect.matchCauseEffect(Scope.close(scope, exit), {
    onFailure: (cause) =>
      next(Exit.failCause(Exit.isFailure(exit) ? Cause.sequential(exit.cause, cause) : cause)),
    onSuccess: () => next(exit)
  })

const nativeTracer = Context.get(DefaultServices.liveServices, Tracer.Tracer)

/** A span costs as much as the rest of a miss: none where nobody would see it. */
const isTraced = ({ fiber, span }: Request): boolean =>
  span !== undefined || fiber.currentTracer !== nativeTracer

/** Whoever is served by it is to link to its span. */
const spanned = <A, E>(rebuild: Rebuild, creator: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.withFiberRuntime((fiber) => {
    rebuild.span = fiber.currentSpan
    return creator
  })

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
const inSurroundings = <A>(
  rebuild: Rebuild,
  leader: Request,
  scope: Scope.Scope,
  creator: Effect.Effect<A>
): Effect.Effect<A> =>
  Effect.suspend(() => {
    const fiber = forkFor(rebuild, leader, scope, creator)
    const ended = Effect.interruptible(Fiber.await(fiber))
    return Effect.flatten(Effect.catchAllCause(ended, () => Fiber.interrupt(fiber)))
  })

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
