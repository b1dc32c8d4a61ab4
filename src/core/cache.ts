/** Puts a cache together: its tiers, what hears their pushes, what ends with the scope. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { CacheBackend } from "../port/CacheBackend.js"
import { emptyTally, snapshot } from "./counters.js"
import * as Events from "./events.js"
import { getOrCreate } from "./getOrCreate.js"
import { health } from "./health.js"
import { begin } from "./hearing.js"
import { inspect } from "./inspect.js"
import { L1 } from "./l1.js"
import * as L2 from "./l2.js"
import * as Log from "./log.js"
import { publishMetrics } from "./metrics.js"
import { type Path, tallyOf } from "./path.js"
import * as Query from "./query.js"
import { whole } from "./request.js"
import type { Service } from "./service.js"
import type { Settings } from "./settings.js"
import * as Write from "./write.js"

export interface Tiers {
  /** How many entries L1 holds; undefined: there is none. */
  readonly capacity?: number | undefined
  /** L2; undefined: there is none. */
  readonly backend?: CacheBackend | undefined
}

export const make = (
  tiers: Tiers,
  settings: Settings
): Effect.Effect<Service, never, Scope.Scope> => Effect.flatMap(makePath(tiers, settings), serve)

/** The service of a path, and all that goes on beside it until the scope closes. */
export const serve = (path: Path): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const since = yield* DateTime.now
    yield* publishMetrics(path)
    yield* Effect.addFinalizer(() => Effect.sync(() => close(path)))
    if (path.l2 !== undefined) yield* begin(path, path.l2)
    return {
      isShared: path.l2 !== undefined,
      lookup: (fiber, region, key, create, options) =>
        getOrCreate(path, fiber, region, key, create, options),
      get: (region, key, schema) => Query.get(path, region, key, schema),
      set: (region, key, value, options) => Write.set(path, region, key, value, options),
      invalidate: (key) => Write.invalidate(path, key),
      clear: (start) => Write.clear(path, start),
      keys: (pattern) => Query.keys(path, pattern),
      inspect: (key) => inspect(path, key),
      events: path.events.stream,
      stats: Query.stats(path),
      counters: (region) =>
        Effect.sync(() => snapshot(region ? [tallyOf(path, region)] : path.tallies.values())),
      health: Effect.sync(() => health(path, since))
    }
  })

export const makePath = (
  { backend, capacity }: Tiers,
  settings: Settings
): Effect.Effect<Path, never, Scope.Scope> =>
  Effect.gen(function* () {
    const tally = emptyTally()
    // Of its own, below the layer's: when that closes, `close` comes first, and
    // only then are the fibers interrupted. None of them opens anything again.
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const l1 = capacity === undefined ? undefined : new L1(capacity, () => tally.evictions++)
    // Until the subscription is confirmed, L1 would miss what others write.
    if (l1 !== undefined && backend !== undefined) l1.isServing = false
    const leading: Path["leading"] = new Set()
    const events = yield* Events.make
    const log = Log.make(settings.name, yield* Effect.clock)
    const l2 = backend && (yield* L2.make(backend, settings, tally, events, log, scope))
    yield* Scope.addFinalizer(scope, interruptOthers(leading))
    return {
      ...settings,
      l1,
      l2,
      rebuilds: new Map(),
      leading,
      tallies: new Map([[whole.start, tally]]),
      tally,
      events,
      log,
      scope,
      isClosed: false,
      lastTick: 0
    }
  })

/** A creator may close the cache that it runs in: it would wait for itself. */
const interruptOthers = (fibers: Iterable<Fiber.RuntimeFiber<void>>): Effect.Effect<void> =>
  Effect.fiberIdWith((own) =>
    Fiber.interruptAll(Array.from(fibers).filter((fiber) => fiber.id() !== own))
  )

/** The scope interrupts what runs; whoever waits for a reply is interrupted here. */
const close = (path: Path): void => {
  path.isClosed = true
  path.l2?.gather.close()
  path.l1?.removeAll("")
}
