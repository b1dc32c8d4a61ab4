/**
 * A rebuild: the part of a flight that runs a creator for all who wait.
 *
 * Its result is a `Deferred`. Who leads it, who would lead it next, and how many
 * wait are `TRef`s, changed together in one transaction: a caller who leaves
 * before the creator began hands the lead to another, whose creator and
 * surroundings are then used; the last one to leave ends it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as List from "effect/List"
import * as STM from "effect/STM"
import type * as Tracer from "effect/Tracer"
import * as TRef from "effect/TRef"
import type { LeaseRequest } from "../policy/lease.js"
import type { Request } from "./request.js"

/**
 * How a rebuild ended, and for whom. Callers that came before `upTo` may have
 * `exit`; the others go round again.
 */
export interface Settled {
  readonly exit: Exit.Exit<any, any>
  readonly upTo: number
  /** Whose creator, options and schema decided; undefined if no creator ran and nobody read. */
  readonly leader: Request | undefined
  /** A command failed: those who go round send no further one. */
  readonly isFaulted: boolean
}

export interface Rebuild {
  /** The cache it belongs to: flights of several caches may wait for each other. */
  readonly owner: object
  readonly key: string
  readonly intent: LeaseRequest["intent"] | "leaseless"
  /** With the intent `refresh`: the header of the entry that was seen. */
  readonly seen: string | undefined
  /** Nobody waits for it, so nobody's leaving ends it. */
  readonly isBackground: boolean
  /** The flight in whose creator it was opened. */
  readonly within: Rebuild | undefined
  readonly result: Deferred.Deferred<Settled>
  /** Null once the creator has begun: nobody can take the lead any more. */
  readonly leader: TRef.TRef<Request | null>
  /** Those who joined and could lead, the latest first. Some may have left. */
  readonly heirs: TRef.TRef<List.List<Heir>>
  /** In the foreground, 0 means that it has been abandoned. */
  readonly waiting: TRef.TRef<number>
  fiber: Fiber.RuntimeFiber<void> | undefined
  span: Tracer.AnySpan | undefined
  /** Ticks; undefined until it happens. */
  beganAt: number | undefined
  commitSentAt: number | undefined
  /** When to stop waiting for another process's creator; monotonic milliseconds. */
  waitUntil: number
  /** A write or push has overtaken it: it must not fill L1. */
  isVoided: boolean
  hasEnded: boolean
  /** The flights that its creator waits for now, once a wait. */
  readonly waitsFor: Array<Rebuild>
}

interface Heir {
  readonly request: Request
  readonly ticket: Ticket
}

/** A caller's place among those who wait. */
export interface Ticket {
  hasLeft: boolean
}

export const make = (
  owner: object,
  first: Request,
  given: Pick<Rebuild, "intent" | "seen" | "isBackground" | "waitUntil">
): Effect.Effect<Rebuild> =>
  Effect.map(
    STM.commit(
      STM.all([
        TRef.make<Request | null>(first),
        TRef.make<List.List<Heir>>(List.nil()),
        TRef.make(given.isBackground ? 0 : 1)
      ])
    ),
    ([leader, heirs, waiting]) => ({
      ...given,
      owner,
      key: first.key,
      within: first.within,
      result: Deferred.unsafeMake<Settled>(FiberId.none),
      leader,
      heirs,
      waiting,
      fiber: undefined,
      span: undefined,
      beganAt: undefined,
      commitSentAt: undefined,
      isVoided: false,
      hasEnded: false,
      waitsFor: []
    })
  )

/** Takes a place among those who wait; false: the last one has just left it. */
export const join = (rebuild: Rebuild, request: Request, ticket: Ticket): STM.STM<boolean> =>
  STM.flatMap(TRef.get(rebuild.waiting), (waiting) => {
    if (waiting === 0 && !rebuild.isBackground) return STM.succeed(false)
    return STM.as(
      STM.zipRight(
        TRef.set(rebuild.waiting, waiting + 1),
        STM.flatMap(TRef.get(rebuild.leader), (leader) =>
          leader === null ? STM.void : TRef.update(rebuild.heirs, List.prepend({ request, ticket }))
        )
      ),
      true
    )
  })

/** Gives the place up; true: nobody waits any more, and the rebuild must end. */
export const leave = (rebuild: Rebuild, request: Request, ticket: Ticket): STM.STM<boolean> =>
  STM.suspend(() => {
    ticket.hasLeft = true
    return STM.flatMap(
      TRef.updateAndGet(rebuild.waiting, (waiting) => waiting - 1),
      (waiting) =>
        STM.as(
          STM.flatMap(TRef.get(rebuild.leader), (leader) =>
            leader === request ? handOver(rebuild) : STM.void
          ),
          waiting === 0 && !rebuild.isBackground
        )
    )
  })

/** The lead goes to the latest who still waits. With nobody left it stays: nothing will begin. */
const handOver = (rebuild: Rebuild): STM.STM<void> =>
  STM.flatMap(TRef.get(rebuild.heirs), (heirs) => {
    let rest = heirs
    while (List.isCons(rest) && rest.head.ticket.hasLeft) rest = rest.tail
    return List.isCons(rest)
      ? STM.zipRight(
          TRef.set(rebuild.leader, rest.head.request),
          TRef.set(rebuild.heirs, rest.tail)
        )
      : TRef.set(rebuild.heirs, rest)
  })

/** The creator begins now: whose is it? From here on nobody can take the lead. */
export const begin = (rebuild: Rebuild): STM.STM<Request | null> =>
  STM.zipLeft(TRef.getAndSet(rebuild.leader, null), TRef.set(rebuild.heirs, List.nil()))
