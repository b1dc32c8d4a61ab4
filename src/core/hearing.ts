/** What the shared tier says of itself: that it is there, and what other processes have done. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { userKey } from "../policy/keys.js"
import type { Signal } from "../port/CacheBackend.js"
import type { L2, Path } from "./path.js"

/** Begins to listen. One that is not there is not asked for anything, until it has been probed. */
export const begin = (path: Path, l2: L2): Effect.Effect<void, never, Scope.Scope> =>
  Effect.zipRight(
    listen(path, l2),
    Effect.suspend(() =>
      l2.breaker === undefined || l2.backend.status?.().isReachable !== false
        ? Effect.void
        : l2.breaker.trip
    )
  )

/**
 * Hears what other processes push, until the scope closes. Without it nothing
 * but time is lost: waiters poll.
 */
const listen = (path: Path, l2: L2): Effect.Effect<void, never, Scope.Scope> =>
  l2.backend.capabilities.pushes
    ? Effect.catchAllCause(
        l2.backend.subscribe(path.prefix, (signal) => hear(path, l2, signal)),
        (cause) => path.log.fault("subscribe", Cause.squash(cause))
      )
    : Effect.void

const hear = (path: Path, l2: L2, signal: Signal): void => {
  if (signal._tag === "Push") {
    l2.waiters.hear(signal)
    const key = userKey(path.prefix, signal.key)
    if (key === undefined || signal.reason === "stored" || signal.reason === "ended") return
    return overtakeL1(path, l2, key, signal.reason === "cleared")
  }
  if (path.l1 === undefined) return
  // What was pushed meanwhile is lost: nothing that L1 holds, and nothing on its
  // way there, can be trusted.
  path.l1.isServing = signal._tag === "Subscribed"
  overtakeL1(path, l2, "", true)
}

/** Another process wrote. Who may be given what does not hang on it: only L1 does. */
const overtakeL1 = (path: Path, l2: L2, target: string, isStart: boolean): void => {
  if (isStart) {
    l2.gather.voidReads(target)
    for (const rebuild of path.rebuilds.values()) {
      if (rebuild.key.startsWith(target)) rebuild.isVoided = true
    }
    return path.l1?.removeAll(target)
  }
  l2.gather.voidRead(target)
  const rebuild = path.rebuilds.get(target)
  if (rebuild !== undefined) rebuild.isVoided = true
  path.l1?.remove(target)
}
