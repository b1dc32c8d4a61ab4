/** The account that this process keeps of the shared tier, and what it hears from it. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CacheBackend, Signal } from "../port/CacheBackend.js"
import { userKey } from "../policy/keys.js"
import type { Tally } from "./counters.js"
import type { Events } from "./events.js"
import { Gather } from "./gather.js"
import { fullKey, type L2, type Path } from "./path.js"
import type { Log } from "./log.js"
import { Odds } from "./odds.js"
import { Pending } from "./pending.js"
import { Renewals } from "./renewal.js"
import type { Settings } from "./settings.js"
import { tokens } from "./tokens.js"
import { Waiters } from "./waiting.js"

/** A method that throws when it is called is a fault like others, and never the caller's. */
const guarded = (inner: CacheBackend): CacheBackend => ({
  name: inner.name,
  capabilities: inner.capabilities,
  groupOf: inner.groupOf && groupOrNone(inner.groupOf),
  serverTime: (monotonic) => inner.serverTime(monotonic),
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

export const make = (
  unguarded: CacheBackend,
  settings: Settings,
  tally: Tally,
  events: Events,
  log: Log,
  scope: Scope.Scope
): Effect.Effect<L2> =>
  Effect.gen(function* () {
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const backend = guarded(unguarded)
    const { leaseDuration, maxHold } = settings.defaults
    const odds = new Odds()
    const renewals = new Renewals<Tally>(
      yield* Effect.clock,
      {
        renew: ({ key, token }) => backend.renew(key, token, leaseDuration),
        onFault: ({ owner }, cause) => {
          owner.backendErrors++
          return log.fault("renew", Cause.squash(cause))
        },
        // The creator is not told: the commit decides.
        onLost: () => {}
      },
      (running) => run(running)
    )
    // The first to be added, so the last to be run: a creator that is interrupted may
    // have much to put in order, and keeps its lease meanwhile.
    yield* Scope.addFinalizer(scope, renewals.stop)
    return {
      backend,
      codec: settings.codec,
      gather: new Gather(
        backend,
        (key) => fullKey(settings, key),
        () => {
          tally.backendErrors++
        },
        settings.defer
      ),
      odds,
      pending: new Pending(
        {
          canClear: backend.capabilities.scan,
          command: ({ kind, target }) => {
            const key = fullKey(settings, target)
            return kind === "key" ? backend.invalidate(key) : backend.clear(key)
          },
          onConfirmed: ({ target }) => events.emit({ _tag: "invalidationConfirmed", key: target })
        },
        (replaying) => {
          run(replaying, { scope })
        }
      ),
      renewals,
      terms: {
        every: leaseDuration / 3,
        retry: leaseDuration / 3,
        maxHold,
        lasts: Infinity
      },
      waiters: new Waiters(),
      nextToken: tokens()
    }
  })

/**
 * Hears what other processes push, until the scope closes. Without it nothing
 * but time is lost: waiters poll.
 */
export const listen = (path: Path, l2: L2): Effect.Effect<void, never, Scope.Scope> =>
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
