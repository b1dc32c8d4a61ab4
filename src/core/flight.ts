/** Opening, joining and leaving the rebuild of a key. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import * as STM from "effect/STM"
import { accepts } from "./codec.js"
import { countLoad } from "./creator.js"
import { forkFor } from "./forkFor.js"
import { lead } from "./lead.js"
import type { Entry } from "./l1.js"
import * as Nesting from "./nesting.js"
import type { Path } from "./path.js"
import * as Rebuild from "./rebuild.js"
import { count, countCoalesced, type Request } from "./request.js"
import { unsafeNow } from "../port/monotonic.js"
import { millis } from "./option.js"
import { awaitEnd, inPlaceOf, serveStale } from "./standIn.js"

/** How to rebuild: what to ask of L2, and whether anybody waits. */
interface Manner {
  readonly intent: Rebuild.Rebuild["intent"]
  readonly seen: string
  readonly isBackground: boolean
}

/** Where a caller goes that may not have what its flight brought. */
type GoRound = (path: Path, request: Request) => Effect.Effect<any, any>

/** Joins the rebuild under way, or opens one, and waits for what it gives. */
export const fly = (
  path: Path,
  request: Request,
  intent: Rebuild.Rebuild["intent"],
  seen: string,
  goRound: GoRound
): Effect.Effect<any, any> =>
  Effect.uninterruptibleMask((restore) =>
    board({ path, request, intent, seen, isBackground: false, restore, goRound })
  )

/** Rebuilds behind, unless that is under way. Whoever asked has its value already. */
export const flyBehind = (path: Path, request: Request, seen: string): Effect.Effect<void> =>
  Effect.uninterruptible(
    Effect.suspend(() =>
      path.rebuilds.has(request.key) || hasNews(path, request)
        ? Effect.void
        : openBehind(path, request, seen)
    )
  )

const openBehind = (path: Path, request: Request, seen: string): Effect.Effect<void> => {
  const opened = open(path, request, { intent: "refresh", seen, isBackground: true }, undefined)
  return Effect.map(newScope, (scope) => start(path, opened, request, scope))
}

/** A caller about to fly. */
interface Boarding extends Manner {
  readonly path: Path
  readonly request: Request
  readonly restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  readonly goRound: GoRound
}

const board = (boarding: Boarding): Effect.Effect<any, any> => {
  const { goRound, intent, path, request, restore } = boarding
  if (path.isClosed) return Effect.interrupt
  // Needed on a bad day alone: that it is wrong is said today. And before anything is joined,
  // or someone would wait there for ever.
  millis("softTimeout", request.options.softTimeout, Infinity)
  if (request.isUnread && !mayAskAtOnce(path, request)) return restore(goRound(path, request))
  const found = path.rebuilds.get(request.key)
  if (found !== undefined && mayJoin(found, request, intent)) {
    if (request.within !== undefined && Nesting.closesCycle(request.within, found)) {
      return runDirectly(boarding)
    }
    // In one step with the check: between the two, the flight that was found
    // could come to wait for ours, and find no cycle either.
    Nesting.addEdge(request.within, found)
    Rebuild.join(found, request)
    countCoalesced(request)
    return awaitResult(boarding, found)
  }
  if (Nesting.isCreatedWithin(request.within, path, request.key)) return runDirectly(boarding)
  // Between the look into L1 and this step another may have opened one, and even
  // brought it to its end: ours would be a second load.
  if (hasNews(path, request)) return restore(goRound(path, request))
  const opened = open(path, request, boarding, found)
  return Effect.flatMap(newScope, (scope) => {
    start(path, opened, request, scope)
    return awaitResult(boarding, opened)
  })
}

/** May this caller be given anything that this rebuild can still bring? */
const mayJoin = (rebuild: Rebuild.Rebuild, request: Request, intent: Manner["intent"]): boolean => {
  if (rebuild.isAbandoned) return false
  if (request.options.refresh === true) {
    // One that is to be stored joins none that will store nothing.
    const isAlike = rebuild.intent === "replace" || rebuild.intent === intent
    return isAlike && rebuild.beganAt === undefined
  }
  if (request.isFaulted && rebuild.intent !== "leaseless" && rebuild.beganAt === undefined) {
    return false
  }
  return rebuild.commitSentAt === undefined || request.came < rebuild.commitSentAt
}

/**
 * Will this caller ask for the lease without a wait, or wait with one who asks?
 * Else it had better read first: a creator may be at work here, be it for a
 * refresh, while a fresh value is there.
 */
export const mayAskAtOnce = (path: Path, { key, within }: Request): boolean => {
  if (within !== undefined) return false
  const found = path.rebuilds.get(key)
  return found === undefined || (found.intent === "read" && found.beganAt === undefined)
}

/** Has L1 changed since it was looked at? */
const hasNews = (path: Path, request: Request): boolean =>
  request.options.refresh !== true && path.l1?.peek(request.key) !== request.saw

/** Takes the place of the one that was `found`, in one step with the look that found it. */
const open = (
  path: Path,
  request: Request,
  manner: Manner,
  found: Rebuild.Rebuild | undefined
): Rebuild.Rebuild => {
  const { fiber, options, within } = request
  const wait = millis("wait", options.wait, path.defaults.maxHold)
  const patience = within === undefined ? wait : Math.min(wait, path.defaults.leaseDuration)
  const rebuild = new Rebuild.Rebuild(path, request, manner, unsafeNow(fiber) + patience)
  if (found !== undefined) detach(path, found)
  path.rebuilds.set(request.key, rebuild)
  if (!manner.isBackground) Nesting.addEdge(within, rebuild)
  return rebuild
}

/** The creator's. */
const newScope = Scope.make()

/** A cache that closes interrupts whoever leads in it. */
const start = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  scope: Scope.CloseableScope
): void => {
  const fiber = forkFor(rebuild, first, scope, lead(path, rebuild, first, scope))
  rebuild.fiber = fiber
  if (path.isClosed) return fiber.unsafeInterruptAsFork(FiberId.none)
  path.leading.add(fiber)
  fiber.addObserver(() => path.leading.delete(fiber))
}

/** From here on nobody joins it, and it fills no L1; those who joined keep it. */
export const detach = (path: Path, rebuild: Rebuild.Rebuild): void => {
  rebuild.isVoided = true
  if (path.rebuilds.get(rebuild.key) === rebuild) path.rebuilds.delete(rebuild.key)
}

/** Already uninterruptible but for the waiting: no `onInterrupt`, which would mask once more. */
const awaitResult = (boarding: Boarding, rebuild: Rebuild.Rebuild): Effect.Effect<any, any> => {
  const { path, request } = boarding
  const { fiber, within } = request
  if (within !== undefined) {
    // ◆ A creator that waits for another process's, which waits for ours: the
    // outermost caller's patience would hold both for minutes.
    rebuild.waitUntil = Math.min(rebuild.waitUntil, unsafeNow(fiber) + path.defaults.leaseDuration)
  }
  return Effect.matchCauseEffect(boarding.restore(awaitEnd(path, rebuild, request)), {
    onFailure: (cause) => {
      Nesting.removeEdge(within, rebuild)
      count(request, "misses")
      return Effect.zipRight(leave(path, rebuild, request, false), Effect.failCause(cause))
    },
    onSuccess: (settled) => {
      Nesting.removeEdge(within, rebuild)
      return settled === undefined
        ? Effect.zipRight(
            leave(path, rebuild, request, true),
            serveStale(request, request.inHand as Entry)
          )
        : arrive(boarding, rebuild, settled)
    }
  })
}

/**
 * The last one out clears the slot first, then ends the creator and awaits its finalizers,
 * unless it is served already.
 */
const leave = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  request: Request,
  isServed: boolean
): Effect.Effect<void> =>
  Effect.flatMap(STM.commit(Rebuild.leave(rebuild, request, isServed)), (isLast) => {
    if (!isLast || rebuild.fiber === undefined) return Effect.void
    detach(path, rebuild)
    return isServed
      ? Fiber.interruptFork(rebuild.fiber)
      : Effect.asVoid(Fiber.interrupt(rebuild.fiber))
  })

/** Is what the rebuild gave for this caller, too? */
const arrive = (
  { goRound, path, request, restore }: Boarding,
  rebuild: Rebuild.Rebuild,
  { exit, isFaulted, led, outcome, schema, upTo }: Rebuild.Settled
): Effect.Effect<any, any> => {
  const { current, inHand, options } = request
  const standIn = inPlaceOf(exit, path, rebuild, request)
  if (standIn !== undefined) return standIn
  if (request.came < upTo && !(current !== undefined && Exit.isFailure(exit))) {
    const isOurs =
      Exit.isFailure(exit) ||
      options.schema === undefined ||
      options.schema === schema ||
      accepts(options.schema, exit.value)
    if (isOurs) {
      // Who had something in hand has read before it asked.
      count(request, inHand === undefined ? outcome : "misses")
      if (request.came !== led) link(request, rebuild)
      return exit
    }
  }
  if (current !== undefined) return current.exit
  request.isFaulted ||= isFaulted
  return restore(goRound(path, request))
}

/** A joiner's span names the creator's that served it: its parent is someone else's. */
const link = ({ span: own }: Request, { span }: Rebuild.Rebuild): void => {
  if (span === undefined || own?._tag !== "Span") return
  own.addLinks([{ _tag: "SpanLink", span, attributes: {} }])
}

/** A creator that asks for what is being created around it: run there, stored nowhere. */
const runDirectly = ({ path, request, restore }: Boarding): Effect.Effect<any, any> => {
  count(request, "misses")
  request.tally.loads++
  const startedAt = unsafeNow(request.fiber)
  // In a fiber of its own: what it changes of its FiberRefs is not for its caller.
  const creator = Effect.acquireUseRelease(
    Effect.fork(Effect.interruptible(Effect.scoped(request.create))),
    (running) => restore(Effect.flatten(Fiber.await(running))),
    Fiber.interrupt
  )
  return Effect.onExit(creator, (exit) =>
    Effect.sync(() => {
      const endedAt = unsafeNow(request.fiber)
      countLoad(path, request, { exit, endedAt, delta: endedAt - startedAt })
    })
  )
}
