/** Looking without building: `get`, and what operators ask for. */
import * as Cause from "effect/Cause"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Envelope from "../policy/envelope.js"
import { globMatcher } from "../policy/glob.js"
import { userKey } from "../policy/keys.js"
import { decode } from "./codec.js"
import { snapshot } from "./counters.js"
import type { Reply } from "./gather.js"
import type { Entry } from "./l1.js"
import { type AnySchema, fullKey, type L2, type Path, tallyOf } from "./path.js"
import type { Region } from "./request.js"
import { readable } from "./readable.js"
import type { CacheHealth, CacheStats, EntryInfo } from "./service.js"
import { fillL1, fromL2 } from "./store.js"
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
    const found = valueIn(path.l1?.get(key), region, schema, unsafeNow(fiber))
    if (Option.isSome(found) || path.l2 === undefined) {
      tally[Option.isSome(found) ? "hits" : "misses"]++
      return Effect.succeed(found)
    }
    if (path.l2.pending.has(key)) {
      tally.bypassed++
      return Effect.succeedNone
    }
    return Effect.map(readL2(path, path.l2, region, key, schema), (value) => {
      tally[Option.isSome(value) ? "hits" : "misses"]++
      return value
    })
  })

const valueIn = (
  entry: Entry | undefined,
  region: Region,
  schema: AnySchema | undefined,
  time: number
): Option.Option<any> =>
  entry !== undefined &&
  time < entry.expiresAt &&
  Exit.isSuccess(entry.exit) &&
  readable(entry, region, schema)
    ? Option.some(entry.exit.value)
    : Option.none()

const readL2 = (
  path: Path,
  l2: L2,
  region: Region,
  key: string,
  schema: AnySchema | undefined
): Effect.Effect<Option.Option<any>> =>
  Effect.flatMap(
    Effect.async<Reply>((resume) => {
      l2.gather.read(key, (reply) => resume(Effect.succeed(reply)))
    }),
    (reply) => {
      if (reply._tag === "Closed") return Effect.interrupt
      if (reply._tag === "Fault") {
        return Effect.as(path.log.fault("read", reply.error), Option.none())
      }
      if (reply.stored === undefined) return Effect.succeedNone
      return Effect.map(
        Effect.zip(decode(reply.stored, schema, region), now),
        ([decoded, time]) => {
          const entry = fromL2(l2, decoded, time)
          if (entry === undefined) tallyOf(path, region).decodeErrors++
          else if (time < entry.expiresAt) fillL1(path, key, entry, reply.read.isVoided)
          return valueIn(entry, region, schema, time)
        }
      )
    }
  )

/** The users' keys of live entries, fresh or stale. Ends early if the backend fails. */
export const keys = (path: Path, pattern: string): Stream.Stream<string> => {
  const matches = globMatcher(pattern)
  const { l1, l2 } = path
  const all =
    l2 === undefined
      ? Stream.unwrap(
          Effect.map(now, (time) =>
            Stream.fromIterable(
              [...(l1?.entries.entries() ?? [])].flatMap(([key, { staleUntil }]) =>
                time < staleUntil ? [key] : []
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
  Effect.map(
    Stream.runFold(keys(path, "*"), { size: 0, named: [] as Array<string> }, (seen, key) => {
      if (seen.named.length < maxKeys) seen.named.push(key)
      seen.size++
      return seen
    }),
    ({ named, size }) => ({
      ...snapshot(path.tallies.values()),
      size,
      keys: named.toSorted(),
      truncated: size > named.length
    })
  )

export const health = (path: Path, backend: string, since: DateTime.Utc): CacheHealth => {
  const pendingInvalidations = path.l2?.pending.size ?? 0
  const reason =
    pendingInvalidations > 0
      ? Option.some(
          `${backend} has not confirmed ${pendingInvalidations} invalidation(s): until it does, ` +
            "these keys are built in this process. They are replayed by themselves."
        )
      : Option.none()
  return {
    healthy: Option.isNone(reason),
    backend,
    circuit: "closed",
    since,
    reason,
    pendingInvalidations
  }
}

export const inspect = (path: Path, key: string): Effect.Effect<Option.Option<EntryInfo>> =>
  Effect.flatMap(now, (time) => {
    const { l1, l2 } = path
    if (l2 !== undefined) return inspectL2(path, l2, key, time)
    const entry = l1?.entries.peek(key)
    if (entry === undefined || time >= entry.staleUntil) return Effect.succeedNone
    return Effect.succeedSome({
      key,
      form: "memory" as const,
      kind: Exit.isSuccess(entry.exit) ? ("value" as const) : ("failure" as const),
      ...timesOf(entry, time),
      size: Option.none(),
      lease: Option.none()
    })
  })

const inspectL2 = (
  path: Path,
  l2: L2,
  key: string,
  time: number
): Effect.Effect<Option.Option<EntryInfo>> => {
  const { backend } = l2
  const whole = fullKey(path, key)
  return Effect.all([backend.getMany([whole]), backend.holder(whole)]).pipe(
    Effect.map(([[stored], holder]) => {
      const header = stored === undefined ? undefined : Envelope.decode(stored)?.header
      if (stored === undefined || header === undefined) return Option.none()
      return Option.some({
        key,
        form: "shared" as const,
        kind: header.kind === "e" ? ("failure" as const) : ("value" as const),
        ...timesOf(header, backend.serverTime(time)),
        size: Option.some(stored.length),
        lease: Option.map(holder, ({ remaining, token }) => ({
          token,
          remaining: Duration.millis(remaining)
        }))
      })
    }),
    Effect.catchAllCause((cause) =>
      Effect.as(path.log.fault("inspect", Cause.squash(cause)), Option.none())
    )
  )
}

const timesOf = (
  entry: Pick<Entry, "createdAt" | "expiresAt" | "delta" | "version">,
  time: number
): Pick<EntryInfo, "freshness" | "age" | "timeToLive" | "delta" | "version"> => ({
  freshness: time < entry.expiresAt ? "fresh" : "stale",
  age: Duration.millis(time - entry.createdAt),
  timeToLive: Duration.millis(entry.expiresAt - time),
  delta: Duration.millis(entry.delta),
  version: entry.version
})
