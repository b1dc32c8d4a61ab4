/**
 * A rebuild: the part of a flight that runs a creator for all who wait.
 *
 * Who leads it, who would lead it next, and how many wait change together, in one
 * transaction: a caller who leaves before the creator began hands the lead to another,
 * whose creator and surroundings are then used; the last one to leave ends it.
 *
 * Arriving is no transaction. A thousand callers of one cold key arrive, and
 * hardly one of them ever leaves: they queue up, which is one synchronous step,
 * and every transaction begins by admitting those who have.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as List from "effect/List"
import * as STM from "effect/STM"
import type * as Tracer from "effect/Tracer"
import * as TRef from "effect/TRef"
import type { LeaseRequest } from "../policy/lease.js"
import type { LookupOptions, Request } from "./request.js"

/**
 * How a rebuild ended, and for whom. Callers that came before `upTo` may have
 * `exit`; the others go round again.
 */
export interface Settled {
  readonly exit: Exit.Exit<any, any>
  readonly upTo: number
  /** When the one came whose creator and options decided; undefined: no creator ran, nobody read. */
  readonly led: number | undefined
  /** That one's. Not the whole request: what holds a result would hold its fiber. */
  readonly schema: LookupOptions<any>["schema"]
  /** A command failed: those who go round send no further one. */
  readonly isFaulted: boolean
  /** What it was for those who asked for the lease without a read before. */
  readonly outcome: "hits" | "misses"
}

/** Those who wait for a rebuild. */
interface Crew {
  /** Null once the creator has begun: nobody can take the lead any more. */
  readonly leader: Request | null
  /** Those who could lead next, the latest first. Some may have left: */
  readonly heirs: List.List<Request>
  /** about so many. */
  readonly gone: number
  readonly waiting: number
}

type Manner = Pick<Rebuild, "intent" | "seen" | "isBackground">

/** A class, for the reason given with `Request`. */
export class Rebuild {
  readonly key: string
  readonly intent: LeaseRequest["intent"] | "leaseless"
  /** With the intent `refresh`: the header of the entry that was seen. */
  readonly seen: string
  /** It goes on though nobody waits for it: nobody's leaving ends it, */
  isBackground: boolean
  /** unless whose creator has begun lets nothing run behind. */
  isHeldToCallers = false
  /** The flight in whose creator it was opened. */
  readonly within: Rebuild | undefined
  /** Those who wait for it, in no order; undefined: nobody. */
  waiters: Array<Request> | undefined = undefined
  /** Who opened it; null once the creator has begun. */
  first: Request | null
  /** Made by the first transaction: one who comes alone, and stays, needs none. */
  crew: TRef.TRef<Crew> | undefined = undefined
  /** Those who have arrived since the last transaction. */
  arrived: Array<Request> = []
  /** The last one has left: whoever comes now must not wait for it. */
  isAbandoned = false
  fiber: Fiber.RuntimeFiber<void> | undefined = undefined
  span: Tracer.AnySpan | undefined = undefined
  /** Ticks; undefined until it happens. */
  beganAt: number | undefined = undefined
  commitSentAt: number | undefined = undefined
  /** A write or push has overtaken it: it must not fill L1. */
  isVoided = false
  /** Its result, for those who come too late to be woken. */
  ended: Exit.Exit<Settled> | undefined = undefined
  /** It failed, and someone was given what is stale. */
  hasFallenBack = false
  /** The flights that its creator waits for now, once a wait. */
  readonly waitsFor: Array<Rebuild> = []

  constructor(
    /** The cache it belongs to: flights of several caches may wait for each other. */
    readonly owner: object,
    first: Request,
    { intent, isBackground, seen }: Manner,
    /** When to stop waiting for another process's creator; monotonic milliseconds. */
    public waitUntil: number
  ) {
    this.key = first.key
    this.intent = intent
    this.seen = seen
    this.isBackground = isBackground
    this.within = first.within
    this.first = first
  }
}

const crewOf = (rebuild: Rebuild): STM.STM<TRef.TRef<Crew>> =>
  STM.suspend(() => {
    const { crew, first, isBackground } = rebuild
    if (crew !== undefined) return STM.succeed(crew)
    const alone = {
      leader: first,
      heirs: List.nil(),
      gone: 0,
      waiting: isBackground ? 0 : 1
    }
    return STM.map(TRef.make<Crew>(alone), (made) => (rebuild.crew = made))
  })

/**
 * Waits for the result. Whoever is interrupted leaves, and waking a fiber that
 * has gone does nothing: so this needs no finalizer, which is most of what
 * `Deferred.await` costs a thousand who wait.
 */
export const awaitEnd = (rebuild: Rebuild, request: Request): Effect.Effect<Settled> =>
  Effect.async((resume) => listen(rebuild, request, resume))

export const listen = (
  rebuild: Rebuild,
  request: Request,
  wake: (settled: Effect.Effect<Settled>) => void
): void => {
  if (rebuild.ended !== undefined) return wake(rebuild.ended)
  request.wake = wake
  // Most wait alone: an array that begins empty makes room for 17.
  if (rebuild.waiters === undefined) rebuild.waiters = [request]
  else rebuild.waiters.push(request)
  request.seat = rebuild.waiters.length - 1
}

/** The result is there, for all who wait and all who still come. */
export const settle = (rebuild: Rebuild, settled: Settled): void => {
  const ended = (rebuild.ended = Exit.succeed(settled))
  rebuild.first = null
  const { waiters } = rebuild
  if (waiters === undefined) return
  rebuild.waiters = undefined
  for (const { wake } of waiters) wake?.(ended)
}

/** A creator may take its time while callers come and go: who has gone is not kept. */
const vacate = ({ waiters }: Rebuild, request: Request): void => {
  if (waiters?.[request.seat] !== request) return
  const last = waiters.pop() as Request
  if (last === request) return
  waiters[request.seat] = last
  last.seat = request.seat
}

/** Takes a place among those who wait. */
export const join = (rebuild: Rebuild, request: Request): void => {
  request.hasLeft = false
  rebuild.arrived.push(request)
}

const admit = (rebuild: Rebuild, { gone, heirs, leader, waiting }: Crew): Crew => {
  const { arrived } = rebuild
  rebuild.arrived = []
  return {
    leader,
    heirs:
      leader === null ? heirs : arrived.reduce((rest, request) => List.cons(request, rest), heirs),
    gone,
    waiting: waiting + arrived.length
  }
}

/** Its services may end with its request. */
const isInLine = ({ options }: Request): boolean => options.background === false

/**
 * Gives the place up; true: nobody waits any more, and the rebuild must end. Who is
 * served already leaves it running behind.
 */
export const leave = (rebuild: Rebuild, request: Request, isServed: boolean): STM.STM<boolean> =>
  STM.flatMap(crewOf(rebuild), (crew) =>
    TRef.modify(crew, (before) => {
      // Not before there is a crew, which counts the first one unless nobody waits.
      rebuild.isBackground ||= isServed
      request.hasLeft = true
      vacate(rebuild, request)
      const admitted = admit(rebuild, before)
      const left = { ...admitted, waiting: admitted.waiting - 1 }
      const isHeld = admitted.leader === null ? rebuild.isHeldToCallers : isInLine(admitted.leader)
      // Within the transaction: after it, another could arrive before we say so.
      rebuild.isAbandoned = left.waiting === 0 && (isHeld || !rebuild.isBackground)
      return [rebuild.isAbandoned, admitted.leader === request ? handOver(left) : tidy(left)]
    })
  )

/**
 * Another process's lease can be waited for while thousands come, and give up: who
 * has gone must not be kept till then. Never more of them than those who wait, and
 * some; so it costs each who leaves a few steps.
 */
const tidy = (crew: Crew): Crew => {
  const gone = crew.gone + 1
  return gone <= crew.waiting + 8
    ? { ...crew, gone }
    : { ...crew, heirs: List.filter(crew.heirs, ({ hasLeft }) => !hasLeft), gone: 0 }
}

/**
 * The lead goes to the latest who still waits. With nobody left it stays: nothing will
 * begin, unless it is to go on behind.
 */
const handOver = (crew: Crew): Crew => {
  let { heirs } = crew
  while (List.isCons(heirs) && heirs.head.hasLeft) heirs = heirs.tail
  return List.isCons(heirs)
    ? { ...crew, leader: heirs.head, heirs: heirs.tail }
    : { ...crew, heirs }
}

/** The creator begins now, once: whose is it? From here on nobody can take the lead. */
export const begin = <A>(
  rebuild: Rebuild,
  next: (leader: Request) => Effect.Effect<A>
): Effect.Effect<A> => {
  if (rebuild.crew !== undefined || rebuild.arrived.length > 0) {
    const taking = STM.flatMap(crewOf(rebuild), (crew) => TRef.modify(crew, takeLead(rebuild)))
    return Effect.flatMap(STM.commit(taking), next)
  }
  const alone = rebuild.first as Request
  rebuild.first = null
  rebuild.isHeldToCallers = isInLine(alone)
  return next(alone)
}

const takeLead =
  (rebuild: Rebuild) =>
  (before: Crew): [Request, Crew] => {
    const admitted = admit(rebuild, before)
    // Who was served and has gone leads only if nobody came after it.
    const crew = (admitted.leader as Request).hasLeft ? handOver(admitted) : admitted
    const leader = crew.leader as Request
    rebuild.first = null
    rebuild.isHeldToCallers = isInLine(leader)
    return [leader, { ...crew, leader: null, heirs: List.nil() }]
  }
