/** A backend's method that throws when it is called is a fault like others, and never the caller's. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { BackendStatus, CacheBackend } from "../port/CacheBackend.js"

export const guarded = (inner: CacheBackend): CacheBackend => ({
  // One that is built late says then what it is, and what it can do.
  get name() {
    return inner.name
  },
  get capabilities() {
    return inner.capabilities
  },
  status: inner.status && statusOrNone(inner.name, inner.status.bind(inner)),
  groupOf: inner.groupOf && groupOrNone(inner.groupOf.bind(inner)),
  serverTime: lastGood(inner),
  // Not suspended: it may be one that needs no fiber.
  getMany: (keys) => {
    try {
      return inner.getMany(keys)
    } catch (defect) {
      return Effect.die(defect)
    }
  },
  lease: (key, request) => Effect.suspend(() => inner.lease(key, request)),
  renew: (key, token, duration) => Effect.suspend(() => inner.renew(key, token, duration)),
  commit: (key, token, stored, keepFor) =>
    Effect.suspend(() => inner.commit(key, token, stored, keepFor)),
  release: (key, token) => Effect.suspend(() => inner.release(key, token)),
  set: (key, stored, keepFor) => Effect.suspend(() => inner.set(key, stored, keepFor)),
  invalidate: (key) => Effect.suspend(() => inner.invalidate(key)),
  clear: (start) => Effect.suspend(() => inner.clear(start)),
  keys: (start) => Stream.suspend(() => inner.keys(start)),
  holder: (key) => Effect.suspend(() => inner.holder(key)),
  subscribe: (prefix, handler) => Effect.suspend(() => inner.subscribe(prefix, handler))
})

/** Who throws instead of saying how the server is knows nothing against it. */
const statusOrNone = (address: string, status: () => BackendStatus) => (): BackendStatus => {
  try {
    return status()
  } catch {
    return { address, isReachable: true }
  }
}

/** Who throws instead of naming a group gets all such keys in one. */
const groupOrNone =
  (groupOf: (key: string) => unknown) =>
  (key: string): unknown => {
    try {
      return groupOf(key)
    } catch {
      return undefined
    }
  }

/** Who throws instead of telling the time is as far ahead of us as it was. */
const lastGood = (inner: CacheBackend): CacheBackend["serverTime"] => {
  let ahead = 0
  return (monotonic) => {
    try {
      ahead = inner.serverTime(monotonic) - monotonic
    } catch {
      // As before.
    }
    return monotonic + ahead
  }
}
