/** One caller's way through the path: who asks for what, and since when. */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { CacheCodec, Reading } from "./codec.js"
import type { Outcome, Tally } from "./counters.js"
import type { Entry } from "./l1.js"
import { currentFlight } from "./nesting.js"
import type { Rebuild, Settled } from "./rebuild.js"

/** What a caller may ask for. Unset means the cache's default. */
export interface LookupOptions<A> {
  readonly ttl?: Duration.DurationInput | ((value: A) => Duration.DurationInput) | undefined
  readonly staleWhileRevalidate?: Duration.DurationInput | undefined
  readonly staleIfError?: Duration.DurationInput | undefined
  readonly softTimeout?: Duration.DurationInput | undefined
  readonly beta?: number | undefined
  readonly wait?: Duration.DurationInput | undefined
  readonly background?: boolean | undefined
  readonly schema?: Schema.Schema<A, any> | undefined
  readonly refresh?: boolean | undefined
}

/** A part of a cache: the whole of it has no name and an empty `start`. */
export interface Region {
  readonly name: string
  /** What its keys begin with: `user:`, or nothing. */
  readonly start: string
  readonly version: number
  /** Failures of this schema are entries too, for `errorTtl` milliseconds. */
  readonly error: Schema.Schema<any, any> | undefined
  readonly errorTtl: number
}

/** The cache as a whole, where no region is meant. */
export const whole: Region = { name: "", start: "", version: 0, error: undefined, errorTtl: 0 }

/**
 * Made once a caller on the way that is not a hit, and mutable along it.
 *
 * A class: V8 watches which object literals survive a command and its reply, and
 * makes those in the old space from the start. There they keep all that they refer
 * to, until the next full collection.
 */
export class Request {
  readonly span: Tracer.AnySpan | undefined
  /** The flight whose creator asks, if one does. */
  readonly within: Rebuild | undefined
  /** What it found in L1: an entry that it cannot use, or nothing. */
  saw: Entry | undefined = undefined
  /** The fresh entry of a reader that refreshes in line: served if the refresh fails. */
  current: Entry | undefined = undefined
  /** The stale entry that stands in for a rebuild which fails, or takes too long. */
  inHand: Entry | undefined = undefined
  /** With such an entry in hand it waits till then; monotonic milliseconds. */
  softUntil: number | undefined = undefined
  /** The header of a fresh value that could not be decoded, to be replaced. */
  reject: string | undefined = undefined
  /** While it waits for a rebuild: what wakes it, and where it stands among those who wait. */
  wake: ((settled: Effect.Effect<Settled>) => void) | undefined = undefined
  seat = -1
  /** It has been interrupted while it waited for a rebuild. */
  hasLeft = false
  isCounted = false
  /** It asks for the lease without a read before. */
  isUnread = false
  isCoalesced = false
  /** A command failed in its flight: it sends no further one. */
  isFaulted = false

  constructor(
    /** Who asks: its surroundings are the creator's. To copy them here would double the cost of waiting. */
    readonly fiber: Fiber.RuntimeFiber<any, any>,
    readonly region: Region,
    readonly tally: Tally,
    /** The user's key, with its region, without the prefix. */
    readonly key: string,
    /** What it needs is in that fiber's context; its scope is its own. */
    readonly create: Effect.Effect<any, any, Scope.Scope>,
    readonly options: LookupOptions<any>,
    /** When it came, on the cache's own clock of events (`Path.tick`). */
    readonly came: number
  ) {
    // As it is now: who reads goes on, and out of its span, while it is refreshed behind.
    this.span = fiber.currentSpan
    const within = fiber.getFiberRef(currentFlight)
    this.within = within?.ended === undefined ? within : undefined
  }
}

/** How this caller reads what L2 holds. */
export const readingOf = (
  codec: CacheCodec | undefined,
  { options, region }: Request
): Reading => ({ schema: options.schema, region, codec })

/** Counts the lookup, once: going round again is the same lookup. */
export const count = (request: Request, outcome: Outcome): void => {
  if (request.isCounted) return
  request.isCounted = true
  request.tally[outcome]++
}

export const countCoalesced = (request: Request): void => {
  if (request.isCoalesced) return
  request.isCoalesced = true
  request.tally.coalesced++
}

/** A runtime that does things as that fiber would: with its services, its clock, its annotations. */
export const surroundingsOf = (fiber: Fiber.RuntimeFiber<any, any>): Runtime.Runtime<never> =>
  Runtime.make({
    ...Runtime.defaultRuntime,
    context: fiber.currentContext,
    fiberRefs: fiber.getFiberRefs()
  })
