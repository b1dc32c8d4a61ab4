/** Looking without building: `get`, and what operators ask for. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { keepUntil } from "../policy/freshness.js"
import { globMatcher } from "../policy/glob.js"
import { userKey } from "../policy/keys.js"
import { decode, isUsable } from "./codec.js"
import { snapshot, type Tally } from "./counters.js"
import type { Reply } from "./gather.js"
import type { Entry } from "./l1.js"
import { isSent } from "./log.js"
import { type AnySchema, fullKey, isBypassed, type L2, type Path, tallyOf } from "./path.js"
import type { Region } from "./request.js"
import { readable } from "./readable.js"
import type { CacheStats } from "./service.js"
import { fromL2 } from "./entry.js"
import { fillL1 } from "./store.js"
import { now, unsafeNow } from "../port/monotonic.js"

/** A fresh value, or none: a stale one and a cached failure are misses. */
export const get = (
  path: Path,
  region: Region,
  key: string,
  schema: AnySchema | undefined
): Effect.Effect<Option.Option<any>> =>
  Effect.withFiberRuntime((fiber) => {
    const tally = tallyOf(path, region)
    const entry = path.l1?.get(key)
    const found = valueIn(entry, region, schema, unsafeNow(fiber), tally)
    if (Option.isSome(found) || path.l2 === undefined) {
      tally[Option.isSome(found) ? "hits" : "misses"]++
      return Effect.succeed(found)
    }
    if (isBypassed(path.l2, key)) {
      tally.bypassed++
      return Effect.succeedNone
    }
    return Effect.map(readL2(path, path.l2, region, key, schema), (value) => {
      tally[value === undefined ? "bypassed" : Option.isSome(value) ? "hits" : "misses"]++
      return value ?? Option.none()
    })
  })

const valueIn = (
  entry: Entry | undefined,
  region: Region,
  schema: AnySchema | undefined,
  time: number,
  tally: Tally
): Option.Option<any> => {
  if (entry === undefined || time >= entry.expiresAt) return Option.none()
  if (!readable(entry, region, schema)) {
    tally.decodeErrors++
    return Option.none()
  }
  return Exit.isSuccess(entry.exit) ? Option.some(entry.exit.value) : Option.none()
}

/** Undefined: it was not sent, for the circuit has opened since it was asked for. */
const readL2 = (
  path: Path,
  l2: L2,
  region: Region,
  key: string,
  schema: AnySchema | undefined
): Effect.Effect<Option.Option<any> | undefined> =>
  Effect.flatMap(
    Effect.withFiberRuntime<Reply>((fiber) =>
      Effect.async((resume) => {
        l2.gather.read(key, fiber, { take: (reply) => resume(Effect.succeed(reply)) }, l2.odds)
      })
    ),
    (reply) => {
      if (reply._tag === "Closed") return Effect.interrupt
      if (reply._tag === "Fault") {
        if (!isSent(reply.error)) return Effect.succeed(undefined)
        return Effect.as(path.log.fault("read", reply.error), Option.none())
      }
      if (reply.stored === undefined) return Effect.succeedNone
      return Effect.map(
        Effect.zip(decode(reply.stored, { schema, region, codec: l2.codec }), now),
        ([decoded, time]) => {
          const tally = tallyOf(path, region)
          if (!isUsable(decoded)) {
            tally.decodeErrors++
            return Option.none()
          }
          const entry = fromL2(l2, decoded, time)
          if (time < entry.expiresAt) fillL1(path, key, entry, l2.gather.isOvertaken(reply.read))
          return valueIn(entry, region, schema, time, tally)
        }
      )
    }
  )

/** The users' keys of live entries, fresh or stale. Ends early if the backend fails. */
export const keys = (path: Path, pattern: string): Stream.Stream<string> => {
  const matches = globMatcher(pattern)
  const { l1, l2 } = path
  /* v8 ignore next -- `l1?.`: a cache without L2 has an L1. @preserve */
  const all =
    l2 === undefined
      ? Stream.unwrap(
          Effect.map(now, (time) =>
            Stream.fromIterable(
              (l1?.entries.entries() ?? []).flatMap(([key, entry]) =>
                time < keepUntil(entry) ? [key] : []
              )
            )
          )
        )
      : l2.backend.keys(fullKey(path, "")).pipe(
          Stream.filterMap((key) => Option.fromNullable(userKey(path.prefix, key))),
          Stream.catchAllCause((cause) =>
            Stream.execute(path.log.fault("keys", Cause.squash(cause)))
          )
        )
  return Stream.filter(all, matches)
}

/** How many keys `stats` names. */
const maxKeys = 1_000

export const stats = (path: Path): Effect.Effect<CacheStats> =>
  Effect.suspend(() => {
    const named: Array<string> = []
    const counted = Stream.runFold(keys(path, "*"), 0, (size, key) => {
      if (size < maxKeys) named.push(key)
      return size + 1
    })
    return Effect.map(counted, (size) => ({
      ...snapshot(path.tallies.values()),
      size,
      keys: named.toSorted(),
      truncated: size > named.length
    }))
  })
