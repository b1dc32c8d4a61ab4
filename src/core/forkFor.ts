/** The fiber that a creator runs in: made with all that it is to know. */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Scope from "effect/Scope"
import { currentFlight } from "./nesting.js"
import type { Rebuild } from "./rebuild.js"
import type { Request } from "./request.js"

/** What a fiber is not to take over from the caller, who may have ended since. */
const callersOwn = RuntimeFlags.make(RuntimeFlags.Interruption, RuntimeFlags.WindDown)
const noRefs = FiberRefs.empty()

/**
 * The fiber of a rebuild, or of its creator alone: in the surroundings of one who leads it,
 * with a scope, uninterruptible. It is told all that when it is made, and at once: whatever
 * is told it by itself copies all refs again.
 */
export const forkFor = <A, E>(
  rebuild: Rebuild,
  { fiber }: Request,
  scope: Scope.Scope,
  effect: Effect.Effect<A, E>
): Fiber.RuntimeFiber<A, E> => {
  const context = Context.add(fiber.currentContext, Scope.Scope, scope)
  // To ask for the refs brings the one up to date that has the flags.
  const refs = fiber.getFiberRefs()
  const flags = fiber.getFiberRef(FiberRef.currentRuntimeFlags)
  const runtimeFlags = RuntimeFlags.disableAll(flags, callersOwn)
  return Runtime.runFork(Runtime.make({ context, fiberRefs: noRefs, runtimeFlags }), effect, {
    immediate: false,
    updateRefs: (_, fiberId) => {
      const own = FiberRefs.forkAs(refs, fiberId)
      setOwn(own, fiberId, FiberRef.currentContext, context)
      setOwn(own, fiberId, currentFlight, rebuild)
      return own
    }
  })
}

/** As `FiberRefs.updateAs` does in one more copy: for refs that are nobody else's yet. */
const setOwn = <A>(
  { locals }: FiberRefs.FiberRefs,
  fiberId: FiberId.Single,
  ref: FiberRef.FiberRef<A>,
  value: A
): void => {
  locals.set(ref, [[fiberId, value], ...(locals.get(ref) ?? [])])
}
