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

/** Made once a caller on the way that is not a hit, and mutable along it. */
export interface Request {
  /** The user's key, with its region, without the prefix. */
  readonly key: string
  readonly region: Region
  readonly tally: Tally
  /** What it needs is in that fiber's context; its scope is its own. */
  readonly create: Effect.Effect<any, any, Scope.Scope>
  readonly options: LookupOptions<any>
  /** Who asks: its surroundings are the creator's. To copy them here would double the cost of waiting. */
  readonly fiber: Fiber.RuntimeFiber<any, any>
  readonly span: Tracer.AnySpan | undefined
  /** The flight whose creator asks, if one does. */
  readonly within: Rebuild | undefined
  /** When it came, on the cache's own clock of events (`Path.tick`). */
  readonly came: number
  /** What it found in L1: an entry that it cannot use, or nothing. */
  saw: Entry | undefined
  /** The fresh entry of a reader that refreshes in line: served if the refresh fails. */
  current: Entry | undefined
  /** The header of a fresh value that could not be decoded, to be replaced. */
  reject: string | undefined
  /** While it waits for a rebuild: what wakes it, and where it stands among those who wait. */
  wake: ((settled: Effect.Effect<Settled>) => void) | undefined
  seat: number
  /** It has been interrupted while it waited for a rebuild. */
  hasLeft: boolean
  isCounted: boolean
  /** It asks for the lease without a read before. */
  isUnread: boolean
  isCoalesced: boolean
  /** A command failed in its flight: it sends no further one. */
  isFaulted: boolean
}

export const make = (
  fiber: Fiber.RuntimeFiber<any, any>,
  region: Region,
  tally: Tally,
  key: string,
  create: Effect.Effect<any, any, any>,
  options: LookupOptions<any>,
  came: number
): Request => {
  const within = fiber.getFiberRef(currentFlight)
  return {
    key,
    region,
    tally,
    create,
    options,
    fiber,
    span: fiber.currentSpan,
    within: within?.hasEnded === false ? within : undefined,
    came,
    saw: undefined,
    current: undefined,
    reject: undefined,
    wake: undefined,
    seat: -1,
    hasLeft: false,
    isCounted: false,
    isUnread: false,
    isCoalesced: false,
    isFaulted: false
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
