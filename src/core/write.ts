/**
 * `set`, `invalidate` and `clear`: writes that overtake what is being rebuilt.
 *
 * Each detaches the flights of what it touches, drops it from L1 and voids reads
 * in progress, when it is called and again when it ends: what was begun between
 * the two may have read what the write was about to replace.
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { keepUntil } from "../policy/freshness.js"
import { BackendError } from "../port/CacheBackend.js"
import { detach } from "./flight.js"
import { cannotClear, countFault } from "./log.js"
import { type AnySchema, fullKey, type L2, type Path, tallyOf } from "./path.js"
import type { Region } from "./request.js"
import { encodeEntry, entryFor, toL2 } from "./entry.js"
import { now } from "../port/monotonic.js"

/**
 * What `set` may be told; unset means the layer's default.
 *
 * @inline
 */
export interface SetOptions {
  readonly ttl?: Duration.DurationInput | undefined
  readonly schema?: AnySchema | undefined
}

/** Which keys a write touches: one, or all that begin with `target`. */
interface Touched {
  readonly kind: "key" | "start"
  readonly target: string
}

export const set = (
  path: Path,
  region: Region,
  key: string,
  value: unknown,
  options: SetOptions
): Effect.Effect<void> =>
  Effect.flatMap(now, (time) => {
    const written = { key, region, options, tally: tallyOf(path, region) }
    // delta 0: nobody measured how long it took, so it is never refreshed early.
    const entry = entryFor(path, written, { exit: Exit.succeed(value), endedAt: time, delta: 0 })
    const { l2 } = path
    const touched: Touched = { kind: "key", target: key }
    // What is not stored must not leave what it was to replace.
    const remove = Effect.asVoid(invalidate(path, key))
    if (entry === undefined) return remove
    const put = Effect.sync(() => {
      overtake(path, touched)
      path.l1?.put(key, entry)
    })
    if (l2 === undefined && !path.isStrict) return put
    return Effect.flatMap(encodeEntry(path, written, entry), (payload) => {
      if (Option.isNone(payload)) return remove
      if (l2 === undefined) return put
      const { keepFor, stored } = toL2(l2, entry, payload.value, time)
      // It must not overtake an invalidation that the server has yet to see:
      // replayed after it, that one would remove what was set.
      const command = Effect.flatMap(l2.pending.before(key), (isClear) =>
        isClear ? l2.backend.set(fullKey(path, key), stored, keepFor) : unsent(l2)
      )
      return writeL2(path, l2, touched, "set", command, undefined)
    })
  })

/** What kept it back is counted and logged already. */
const unsent = ({ backend }: L2) =>
  new BackendError({ backend: backend.name, command: "set", reason: "CircuitOpen" })

/** True: an entry was there. False while the backend has not confirmed. */
export const invalidate = (path: Path, key: string): Effect.Effect<boolean> => {
  const touched: Touched = { kind: "key", target: key }
  const { l2 } = path
  if (l2 === undefined) {
    return Effect.map(now, (time) => {
      const entry = path.l1?.get(key)
      overtake(path, touched)
      return entry !== undefined && time < keepUntil(entry)
    })
  }
  return Effect.suspend(() => {
    // It carries what is pending for its key: its confirmation is theirs.
    const carried = l2.pending.recordOf(key)
    const command = l2.backend.invalidate(fullKey(path, key))
    const carrying = carried === undefined ? command : l2.pending.carry(carried, command)
    return writeL2(path, l2, touched, "invalidate", carrying, false)
  })
}

export const clear = (path: Path, start: string): Effect.Effect<void> => {
  const touched: Touched = { kind: "start", target: start }
  const { l2 } = path
  if (l2 === undefined) return Effect.sync(() => overtake(path, touched))
  const { backend } = l2
  if (backend.capabilities.scan) {
    return writeL2(path, l2, touched, "clear", backend.clear(fullKey(path, start)), undefined)
  }
  return Effect.suspend(() => {
    overtake(path, touched)
    return cannotClear(backend)
  })
}

/** Sends a write. What the server does not confirm is pending, and replayed before anything else. */
const writeL2 = <A>(
  path: Path,
  l2: L2,
  touched: Touched,
  name: "set" | "invalidate" | "clear",
  command: Effect.Effect<A, BackendError>,
  unconfirmed: A
): Effect.Effect<A> =>
  Effect.uninterruptibleMask((restore) => {
    overtake(path, touched)
    return Effect.flatMap(Effect.exit(restore(command)), (exit) => {
      overtake(path, touched)
      if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
      l2.pending.add(touched.kind, touched.target)
      path.events.emit({ _tag: "invalidationPending", key: touched.target })
      // A caller that is being interrupted goes no further than this. A backend that
      // interrupts itself has not confirmed, and that is all.
      if (Cause.isInterruptedOnly(exit.cause)) return Effect.succeed(unconfirmed)
      return Effect.as(countFault(path, path.tally, name, exit.cause), unconfirmed)
    })
  })

const overtake = (path: Path, { kind, target }: Touched): void => {
  if (kind === "key") {
    path.l2?.gather.voidRead(target)
    path.l1?.remove(target)
    const rebuild = path.rebuilds.get(target)
    if (rebuild !== undefined) detach(path, rebuild)
    return
  }
  path.l2?.gather.voidReads(target)
  path.l1?.removeAll(target)
  for (const rebuild of [...path.rebuilds.values()]) {
    if (rebuild.key.startsWith(target)) detach(path, rebuild)
  }
}
