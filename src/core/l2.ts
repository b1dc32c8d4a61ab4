/** The account that this process keeps of the shared tier. */
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { BackendError, CacheBackend } from "../port/CacheBackend.js"
import type { Tally } from "./counters.js"
import { circuitTo, tellTransitions } from "./degrade.js"
import type { Events } from "./events.js"
import { Gather } from "./gather.js"
import { guarded } from "./guard.js"
import { fullKey, type L2 } from "./path.js"
import { cannotClear, countFault, isSent, type Log } from "./log.js"
import { Odds } from "./odds.js"
import { Pending, type Unconfirmed } from "./pending.js"
import { makeProbe } from "./probe.js"
import { recover, untilClosed } from "./recovery.js"
import { Renewals } from "./renewal.js"
import type { Settings } from "./settings.js"
import { tokens } from "./tokens.js"
import { Waiters } from "./waiting.js"

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
    // Not `run` with the scope: once that has closed, it would begin what nobody ends.
    const behind = (effect: Effect.Effect<void>) => void run(Effect.forkIn(effect, scope))
    const inner = guarded(unguarded)
    const { backend, breaker, outage, uncounted } = yield* circuitTo(inner, settings, log)
    const { leaseDuration, maxHold } = settings.defaults
    const odds = new Odds()
    const renewals = new Renewals<Tally>(
      yield* Effect.clock,
      {
        renew: ({ key, token }) => backend.renew(key, token, leaseDuration),
        onFault: ({ owner }, cause) => countFault({ log }, owner, "renew", cause),
        // The creator is not told: the commit decides.
        onLost: () => {}
      },
      (running) => run(running)
    )
    // The first to be added, so the last to be run: a creator that is interrupted may
    // have much to put in order, and keeps its lease meanwhile.
    yield* Scope.addFinalizer(scope, renewals.stop)
    const replay = (on: CacheBackend, { isOverflow, kind, target }: Unconfirmed) =>
      kind === "key"
        ? on.invalidate(fullKey(settings, target))
        : clearing(on, fullKey(settings, target), isOverflow)
    const pending = new Pending(
      {
        isReady: () => breaker === undefined || breaker.unsafeState() === "closed",
        ready: breaker === undefined ? Effect.void : untilClosed(breaker),
        canClear: () => backend.capabilities.scan,
        command: (unconfirmed, isCounted) => replay(isCounted ? backend : uncounted, unconfirmed),
        onConfirmed: ({ target }) => events.emit({ _tag: "invalidationConfirmed", key: target }),
        onFault: ({ kind }, cause) =>
          countFault({ log }, tally, kind === "key" ? "invalidate" : "clear", cause)
      },
      behind
    )
    if (breaker !== undefined) {
      tellTransitions(breaker, backend, events, log)
      const probe = makeProbe({
        breaker,
        pending,
        replay: (unconfirmed) => replay(inner, unconfirmed),
        read: (key) => inner.getMany([fullKey(settings, key)])
      })
      const isReachable = () => inner.status?.().isReachable !== false
      recover(breaker, isReachable, probe, behind)
    }
    return {
      backend,
      breaker,
      outage,
      codec: settings.codec,
      gather: new Gather(
        backend,
        (key) => fullKey(settings, key),
        (error) => {
          if (isSent(error)) tally.backendErrors++
        },
        settings.defer
      ),
      odds,
      pending,
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

/** One that came late may turn out not to be able to. */
const clearing = (
  backend: CacheBackend,
  start: string,
  mustClear: boolean
): Effect.Effect<void, BackendError> =>
  backend.capabilities.scan || mustClear ? backend.clear(start) : cannotClear(backend)
