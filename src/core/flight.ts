/** Opening, joining and leaving the rebuild of a key. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as STM from "effect/STM"
import { accepts } from "./codec.js"
import { lead } from "./lead.js"
import * as Nesting from "./nesting.js"
import { type Path } from "./path.js"
import * as Rebuild from "./rebuild.js"
import { count, countCoalesced, type Request } from "./request.js"
import { unsafeNow } from "../port/monotonic.js"
import { millis } from "./option.js"

/** How to rebuild: what to ask of L2, and whether anybody waits. */
interface Manner {
  readonly intent: Rebuild.Rebuild["intent"]
  readonly seen: string | undefined
  readonly isBackground: boolean
}

/** What a caller got out of a rebuild: an exit, or word to go round again. */
export type Outcome =
  { readonly _tag: "Done"; readonly exit: Exit.Exit<any, any> } | { readonly _tag: "GoRound" }

/** Joins the rebuild under way, or opens one, and waits for what it gives. */
export const fly = (
  path: Path,
  request: Request,
  intent: Rebuild.Rebuild["intent"],
  seen?: string
): Effect.Effect<Outcome> =>
  Effect.flatMap(
    Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => board(path, request, { intent, seen, isBackground: false }, restore))
    ),
    (settled) =>
      settled === "direct" ? runDirectly(request) : Effect.succeed(take(request, settled))
  )

/** A joiner's span names the creator's that served it: its parent is someone else's. */
const link = (request: Request, rebuild: Rebuild.Rebuild, { leader }: Rebuild.Settled): void => {
  const { span } = rebuild
  if (span === undefined || request === leader || request.span?._tag !== "Span") return
  request.span.addLinks([{ _tag: "SpanLink", span, attributes: {} }])
}

/** Rebuilds behind, unless that is under way. Whoever asked has its value already. */
export const flyBehind = (
  path: Path,
  request: Request,
  seen: string | undefined
): Effect.Effect<void> =>
  Effect.uninterruptible(
    Effect.suspend(() =>
      path.rebuilds.has(request.key)
        ? Effect.void
        : Effect.asVoid(
            open(path, request, { intent: "refresh", seen, isBackground: true }, undefined)
          )
    )
  )

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const board = (
  path: Path,
  request: Request,
  manner: Manner,
  restore: Restore
): Effect.Effect<Rebuild.Settled | "direct"> => {
  if (path.isClosed) return Effect.interrupt
  const found = path.rebuilds.get(request.key)
  if (found !== undefined && mayJoin(found, request)) {
    if (request.within !== undefined && Nesting.closesCycle(request.within, found)) {
      return Effect.succeed("direct")
    }
    // In one step with the check: between the two, the flight that was found
    // could come to wait for ours, and find no cycle either.
    Nesting.addEdge(request.within, found)
    const ticket: Rebuild.Ticket = { hasLeft: false }
    return Effect.flatMap(STM.commit(Rebuild.join(found, request, ticket)), (hasJoined) => {
      if (hasJoined) {
        countCoalesced(request)
        return awaitResult(path, found, request, ticket, restore)
      }
      // The last one left between our look and our joining, and has yet to
      // clear the slot.
      Nesting.removeEdge(request.within, found)
      detach(path, found)
      return board(path, request, manner, restore)
    })
  }
  if (Nesting.isCreatedWithin(request.within, path, request.key)) return Effect.succeed("direct")
  return Effect.flatMap(open(path, request, manner, found), (opened) =>
    opened === undefined
      ? board(path, request, manner, restore)
      : awaitResult(path, opened, request, { hasLeft: false }, restore)
  )
}

/** May this caller be given anything that this rebuild can still bring? */
const mayJoin = (rebuild: Rebuild.Rebuild, request: Request): boolean => {
  if (request.options.refresh === true) {
    return rebuild.intent === "replace" && rebuild.beganAt === undefined
  }
  if (request.isFaulted && rebuild.intent !== "leaseless" && rebuild.beganAt === undefined) {
    return false
  }
  return rebuild.commitSentAt === undefined || request.came < rebuild.commitSentAt
}

/** Takes the place of the one that was `found`; undefined: that is not there any more. */
const open = (
  path: Path,
  request: Request,
  manner: Manner,
  found: Rebuild.Rebuild | undefined
): Effect.Effect<Rebuild.Rebuild | undefined> =>
  Effect.withFiberRuntime((fiber) => {
    const wait = millis("wait", request.options.wait, path.defaults.maxHold)
    const patience =
      request.within === undefined ? wait : Math.min(wait, path.defaults.leaseDuration)
    const waitUntil = unsafeNow(fiber) + patience
    return Effect.flatMap(Rebuild.make(path, request, { ...manner, waitUntil }), (rebuild) => {
      // Looked at before, and again now: a yield in between lets another open one,
      // and to take its place would run a second creator.
      if (path.rebuilds.get(request.key) !== found) return Effect.succeed(undefined)
      if (found !== undefined) detach(path, found)
      path.rebuilds.set(request.key, rebuild)
      if (!manner.isBackground) Nesting.addEdge(request.within, rebuild)
      return Effect.map(Effect.forkIn(lead(path, rebuild, request), path.scope), (leading) => {
        rebuild.fiber = leading
        return rebuild
      })
    })
  })

/** From here on nobody joins it, and it fills no L1; those who joined keep it. */
export const detach = (path: Path, rebuild: Rebuild.Rebuild): void => {
  rebuild.isVoided = true
  if (path.rebuilds.get(rebuild.key) === rebuild) path.rebuilds.delete(rebuild.key)
}

const awaitResult = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  request: Request,
  ticket: Rebuild.Ticket,
  restore: Restore
): Effect.Effect<Rebuild.Settled> => {
  const waiting = Effect.tap(
    Effect.onInterrupt(restore(Deferred.await(rebuild.result)), () =>
      leave(path, rebuild, request, ticket)
    ),
    (settled) => link(request, rebuild, settled)
  )
  const { within } = request
  if (within === undefined) return waiting
  return Effect.withFiberRuntime((fiber) => {
    // ◆ A creator that waits for another process's, which waits for ours: the
    // outermost caller's patience would hold both for minutes.
    rebuild.waitUntil = Math.min(rebuild.waitUntil, unsafeNow(fiber) + path.defaults.leaseDuration)
    return Effect.ensuring(
      waiting,
      Effect.sync(() => Nesting.removeEdge(within, rebuild))
    )
  })
}

/** The last one out clears the slot first, then ends the creator and awaits its finalizers. */
const leave = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  request: Request,
  ticket: Rebuild.Ticket
): Effect.Effect<void> =>
  Effect.flatMap(STM.commit(Rebuild.leave(rebuild, request, ticket)), (isLast) => {
    if (!isLast || rebuild.fiber === undefined) return Effect.void
    detach(path, rebuild)
    return Effect.asVoid(Fiber.interrupt(rebuild.fiber))
  })

/** Is what the rebuild gave for this caller, too? */
const take = (request: Request, settled: Rebuild.Settled): Outcome => {
  const { exit, isFaulted, leader, upTo } = settled
  const hasCurrent = request.current !== undefined
  if (request.came < upTo && !(hasCurrent && Exit.isFailure(exit))) {
    const own = request.options.schema
    const isOurs =
      Exit.isFailure(exit) ||
      own === undefined ||
      own === leader?.options.schema ||
      accepts(own, exit.value)
    if (isOurs) return { _tag: "Done", exit }
  }
  if (request.current !== undefined) return { _tag: "Done", exit: request.current.exit }
  request.isFaulted ||= isFaulted
  return { _tag: "GoRound" }
}

/** A creator that asks for what is being created around it: run there, stored nowhere. */
const runDirectly = (request: Request): Effect.Effect<Outcome> =>
  Effect.suspend(() => {
    count(request, "misses")
    request.tally.loads++
    return Effect.map(Effect.exit(Effect.scoped(request.create)), (exit): Outcome => {
      if (Exit.isFailure(exit)) request.tally.loadFailures++
      return { _tag: "Done", exit }
    })
  })
