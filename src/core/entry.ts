/** Entries: made of a creator's result, and turned into their stored form and back. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Envelope from "../policy/envelope.js"
import { keepUntil, windows } from "../policy/freshness.js"
import { capDelta } from "../policy/xfetch.js"
import { accepts, encode, type Payload, type Usable } from "./codec.js"
import type { Entry } from "./l1.js"
import { type L2, type Path, ttlOf } from "./path.js"
import type { LookupOptions, Region, Request } from "./request.js"
import { ifError, whileRevalidating } from "./stale.js"

/** A creator's result, and when and how fast it came (monotonic milliseconds). */
export interface Created {
  readonly exit: Exit.Exit<any, any>
  readonly endedAt: number
  readonly delta: number
}

/** Where an entry belongs, and under which rules it is written. */
interface Written {
  readonly region: Region
  readonly options: LookupOptions<any>
}

/**
 * The entry that a result makes, with times on this process's clock; undefined:
 * it is not to be stored. May throw what the user's ttl function throws.
 */
export const entryFor = (
  path: Path,
  { options, region }: Written,
  { delta, endedAt, exit }: Created
): Entry | undefined => {
  const isFailure = Exit.isFailure(exit)
  if (isFailure && !isCacheable(region, exit)) return undefined
  const ttl = isFailure ? region.errorTtl : ttlOf(path, options, exit.value)
  if (!(ttl > 0)) return undefined
  const life = windows({
    createdAt: endedAt,
    ttl,
    staleWhileRevalidate: isFailure ? 0 : whileRevalidating(path, options),
    staleIfError: isFailure ? 0 : ifError(path, options)
  })
  return {
    exit,
    createdAt: endedAt,
    expiresAt: life.expiresAt,
    staleUntil: life.staleUntil,
    errorUntil: life.errorUntil,
    delta: capDelta(delta, ttl),
    version: region.version,
    origin: "",
    schema: options.schema
  }
}

/** A failure that is an answer like any other: an entry, and nothing to stand in for. */
export const isCacheable = ({ error }: Region, exit: Exit.Failure<any, any>): boolean => {
  if (error === undefined) return false
  return Option.exists(Cause.failureOption(exit.cause), (failure) => accepts(error, failure))
}

/** What a cached failure failed with; of a success, its value. */
const contentOf = (exit: Exit.Exit<any, any>): unknown =>
  Exit.isSuccess(exit) ? exit.value : Option.getOrUndefined(Cause.failureOption(exit.cause))

/** Encodes an entry, or says that it cannot be stored: counted, and logged once a key pattern. */
export const encodeEntry = (
  path: Path,
  request: Pick<Request, "key" | "tally" | "region" | "options">,
  entry: Entry
): Effect.Effect<Option.Option<Payload>> => {
  const isFailure = Exit.isFailure(entry.exit)
  const schema = isFailure ? request.region.error : request.options.schema
  return Effect.flatMap(
    encode(schema, contentOf(entry.exit), isFailure, path.l2?.codec),
    (encoded) => {
      if (Either.isRight(encoded)) return Effect.succeed(Option.some(encoded.right))
      request.tally.encodeErrors++
      return Effect.as(path.log.refused(request.key, encoded.left.what), Option.none())
    }
  )
}

/** Stored form and life of an entry in L2, in the server's time. */
export const toL2 = (
  l2: L2,
  entry: Entry,
  payload: Payload,
  now: number
): { readonly stored: Envelope.Encoded; readonly keepFor: number } => {
  const offset = l2.backend.serverTime(now) - now
  const stored = Envelope.encode(
    {
      codec: typeof payload.content === "string" ? "j" : "b",
      kind: payload.kind,
      createdAt: entry.createdAt + offset,
      expiresAt: entry.expiresAt + offset,
      staleUntil: entry.staleUntil + offset,
      errorUntil: entry.errorUntil + offset,
      delta: entry.delta,
      version: entry.version,
      stamp: l2.nextToken()
    },
    payload.content
  )
  // Of a century and a fraction, a sum has no more than the thousandth millisecond
  // right; rounded up, it would be one too many.
  const life = Math.ceil(keepUntil(entry) - now - 0.01)
  const keepFor = Math.max(life, l2.backend.capabilities.shortestTtl)
  return { stored, keepFor }
}

/** An entry read from L2, with times on this process's clock. */
export const fromL2 = (l2: L2, { exit, header, schema, stored }: Usable, now: number): Entry => {
  const offset = l2.backend.serverTime(now) - now
  return {
    exit,
    createdAt: header.createdAt - offset,
    expiresAt: header.expiresAt - offset,
    staleUntil: header.staleUntil - offset,
    errorUntil: header.errorUntil - offset,
    delta: header.delta,
    version: header.version,
    origin: stored,
    schema
  }
}

/** An entry's identity in L2, its header; empty without L2. */
export const identityOf = ({ origin }: Entry): string => Envelope.headerText(origin) ?? ""
