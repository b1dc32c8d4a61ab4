/** One entry, as an operator sees it. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Envelope from "../policy/envelope.js"
import { keepUntil } from "../policy/freshness.js"
import { now } from "../port/monotonic.js"
import type { Entry } from "./l1.js"
import { fullKey, type L2, type Path } from "./path.js"
import type { EntryInfo } from "./service.js"

export const inspect = (path: Path, key: string): Effect.Effect<Option.Option<EntryInfo>> =>
  Effect.flatMap(now, (time) => {
    const { l1, l2 } = path
    if (l2 !== undefined) return inspectL2(path, l2, key, time)
    const entry = l1?.entries.peek(key)
    if (entry === undefined || time >= keepUntil(entry)) return Effect.succeedNone
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
