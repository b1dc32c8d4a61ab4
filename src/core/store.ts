/** What becomes of a creator's result: an entry in L1, in L2, or nothing. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Envelope from "../policy/envelope.js"
import { windows } from "../policy/freshness.js"
import { capDelta } from "../policy/xfetch.js"
import type { Acquired } from "./acquire.js"
import { accepts, encode, type Decoded, type Payload } from "./codec.js"
import type { Entry } from "./l1.js"
import { fullKey, type L2, millisOr, type Path, tick, ttlOf } from "./path.js"
import type { Rebuild } from "./rebuild.js"
import type { LookupOptions, Region, Request } from "./request.js"

/** A creator's result, and when and how fast it came (monotonic milliseconds). */
export interface Created {
  readonly exit: Exit.Exit<any, any>
  readonly endedAt: number
  readonly delta: number
}

/** What was made of it. Callers that came before `upTo` may have `exit`. */
export interface Kept {
  readonly exit: Exit.Exit<any, any>
  readonly upTo: number
  readonly isFaulted: boolean
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
    staleIfError: 0,
    staleWhileRevalidate: isFailure
      ? 0
      : millisOr(options.staleWhileRevalidate, path.defaults.staleWhileRevalidate)
  })
  return {
    exit,
    createdAt: endedAt,
    expiresAt: life.expiresAt,
    staleUntil: life.staleUntil,
    delta: capDelta(delta, ttl),
    version: region.version,
    header: undefined,
    schema: options.schema
  }
}

const isCacheable = (region: Region, exit: Exit.Failure<any, any>): boolean => {
  const { error } = region
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
  return Effect.flatMap(encode(schema, contentOf(entry.exit), isFailure), (encoded) => {
    if (Either.isRight(encoded)) return Effect.succeed(Option.some(encoded.right))
    request.tally.encodeErrors++
    return Effect.as(path.log.refused(request.key, encoded.left.what), Option.none())
  })
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
      codec: "j",
      kind: payload.kind,
      createdAt: entry.createdAt + offset,
      expiresAt: entry.expiresAt + offset,
      staleUntil: entry.staleUntil + offset,
      errorUntil: entry.expiresAt + offset,
      delta: entry.delta,
      version: entry.version,
      stamp: l2.nextToken()
    },
    payload.text
  )
  const keepFor = Math.max(Math.ceil(entry.staleUntil - now), l2.backend.capabilities.shortestTtl)
  return { stored, keepFor }
}

/** An entry read from L2, with times on this process's clock; undefined: a miss. */
export const fromL2 = (l2: L2, decoded: Decoded, now: number): Entry | undefined => {
  const { exit, header, headerText, schema } = decoded
  if (exit === undefined || header === undefined) return undefined
  const offset = l2.backend.serverTime(now) - now
  return {
    exit,
    createdAt: header.createdAt - offset,
    expiresAt: header.expiresAt - offset,
    staleUntil: header.staleUntil - offset,
    delta: header.delta,
    version: header.version,
    header: headerText,
    schema
  }
}

/** Only a flight that no write or push has overtaken may fill L1. */
export const fillL1 = (path: Path, key: string, entry: Entry, isVoided: boolean): void => {
  if (!isVoided) path.l1?.put(key, entry)
}

/** Stores a creator's result where it may be stored, and says who may have it. */
export const keep = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  acquired: Extract<Acquired, { _tag: "Granted" | "Leaseless" }>,
  created: Created
): Effect.Effect<Kept> =>
  Effect.suspend(() => {
    const began = rebuild.beganAt ?? 0
    let { exit } = created
    let entry: Entry | undefined
    try {
      entry = entryFor(path, leader, created)
    } catch (error) {
      exit = Exit.die(error)
    }
    const unstored: Kept = { exit, upTo: began, isFaulted: false }
    if (path.l2 === undefined) return Effect.as(keepLocally(path, rebuild, leader, entry), unstored)
    if (acquired._tag === "Leaseless") return Effect.succeed(unstored)
    return commit(path, path.l2, rebuild, leader, acquired.token, entry, unstored, created.endedAt)
  })

const keepLocally = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  entry: Entry | undefined
): Effect.Effect<void> => {
  if (entry === undefined) return Effect.void
  const fill = Effect.sync(() => fillL1(path, rebuild.key, entry, rebuild.isVoided))
  if (!path.isStrict) return fill
  return Effect.flatMap(encodeEntry(path, leader, entry), (payload) =>
    Option.isSome(payload) ? fill : Effect.void
  )
}

const commit = (
  path: Path,
  l2: L2,
  rebuild: Rebuild,
  leader: Request,
  token: string,
  entry: Entry | undefined,
  unstored: Kept,
  now: number
): Effect.Effect<Kept> => {
  const key = fullKey(path, rebuild.key)
  const release = Effect.catchAllCause(l2.backend.release(key, token), (cause) =>
    path.log.fault("release", Cause.squash(cause))
  )
  if (entry === undefined) return Effect.as(release, unstored)
  return Effect.flatMap(encodeEntry(path, leader, entry), (payload) => {
    // While an invalidation is unconfirmed, the server may not have revoked
    // this lease yet: a commit would bring back what was overtaken.
    if (Option.isNone(payload) || l2.pending.has(rebuild.key)) return Effect.as(release, unstored)
    const { keepFor, stored } = toL2(l2, entry, payload.value, now)
    const sentAt = (rebuild.commitSentAt = tick(path))
    return Effect.matchCauseEffect(l2.backend.commit(key, token, stored, keepFor), {
      onFailure: (cause) => {
        leader.tally.backendErrors++
        return path.log
          .fault("commit", Cause.squash(cause))
          .pipe(
            Effect.zipRight(Effect.forkIn(release, path.scope)),
            Effect.as({ ...unstored, isFaulted: true })
          )
      },
      onSuccess: (isStored) =>
        Effect.sync((): Kept => {
          if (!isStored) {
            leader.tally.fencedWrites++
            path.events.emit({ _tag: "FencedWrite", key: rebuild.key })
            return unstored
          }
          const header = Envelope.headerText(stored)
          fillL1(path, rebuild.key, { ...entry, header }, rebuild.isVoided)
          return { ...unstored, upTo: sentAt }
        })
    })
  })
}
