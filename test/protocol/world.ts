/** Several processes over one server, each with a test's hand on its connection. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { Cache, type CacheBackend, MemoryBackend } from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import * as Core from "../../src/core/cache.js"
import { settings } from "../../src/core/settings.js"

/** A server that processes connect to, each with a test's hand on what it sends. */
export interface Server {
  readonly connect: Effect.Effect<ControlledBackend.ControlledBackend, never, Scope.Scope>
  /**
   * As `connect`, but held is each call and its answer, not what travels: for an
   * order within the process that nothing on its connections can force.
   */
  readonly connectByCalls: Server["connect"]
}

export interface ServerOptions {
  /** Are pushes delivered? Default true. */
  readonly pushes?: boolean
}

/** What differs between one kind of server and another. */
export interface World {
  readonly startServer: (options?: ServerOptions) => Effect.Effect<Server, never, Scope.Scope>
  /** Lets everything that can go on without the clock or the test go on. */
  readonly settleDown: Effect.Effect<void>
  /** Moves all clocks. */
  readonly advance: (by: Duration.DurationInput) => Effect.Effect<void>
}

export interface Process extends Omit<ControlledBackend.ControlledBackend, "backend"> {
  readonly backend: CacheBackend
  /** Runs something on this process's cache. */
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R | Cache>
  ) => Effect.Effect<A, E, Exclude<R, Cache>>
}

export type Options = NonNullable<Parameters<typeof Cache.fromBackend>[1]>

const connect = (server: Pick<Server, "connect"> | CacheBackend) =>
  "connect" in server ? server.connect : ControlledBackend.make(server)

/**
 * A process with L2 alone. Early refresh is off: it would make tests depend on chance.
 *
 * @param change what is between the cache and the connection, to break it on purpose
 */
export const startProcess = (
  server: Pick<Server, "connect"> | CacheBackend,
  options: Options = {},
  change: (backend: CacheBackend) => CacheBackend = (backend) => backend
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function* () {
    const controlled = yield* connect(server)
    const backend = change(controlled.backend)
    const context = yield* Layer.build(Cache.fromBackend(backend, { beta: 0, ...options }))
    yield* Effect.addFinalizer(() => controlled.release)
    return { ...controlled, run: Effect.provideService(Cache, Context.get(context, Cache)) }
  })

/** A process with L1 over L2. */
export const startTwoTier = (
  server: Pick<Server, "connect"> | CacheBackend,
  defer?: (flush: () => void) => void
): Effect.Effect<Process, never, Scope.Scope> =>
  Effect.gen(function* () {
    const controlled = yield* connect(server)
    const service = yield* Core.make(
      { capacity: 100, backend: controlled.backend },
      settings({ beta: 0 }, { defer })
    )
    yield* Effect.addFinalizer(() => controlled.release)
    return { ...controlled, run: Effect.provideService(Cache, service) }
  })
export const startServer = (options?: MemoryBackend.MemoryBackendOptions) =>
  MemoryBackend.make(options)

/** A row of a database, and how often it has been read. */
export interface Row {
  value: number
  reads: number
}

export const makeRow = (): Row => ({ value: 1, reads: 0 })

/** Reads the row, and counts. */
export const load = (row: Row): Effect.Effect<number> =>
  Effect.sync(() => {
    row.reads++
    return row.value
  })

/** A creator that reads the row at once, says so, and ends when it is let. */
export const heldLoad = (row: Row) =>
  Effect.gen(function* () {
    const begun = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    return {
      create: Effect.tap(load(row), () =>
        Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate))
      ),
      begun: Deferred.await(begun),
      open: Deferred.succeed(gate, undefined)
    }
  })

/** Lets everything that can go on without the clock or the test go on. */
export const settleDown: Effect.Effect<void> = Effect.repeatN(Effect.yieldNow(), 200)

/**
 * In small steps: a renewal due half-way must not find the clock at the end
 * already. Where nothing is due, in larger ones.
 */
export const advanceBy =
  (settleDown: Effect.Effect<void>, step: (millis: number) => Effect.Effect<void>) =>
  (by: Duration.DurationInput): Effect.Effect<void> =>
    Effect.gen(function* () {
      yield* settleDown
      let left = Duration.toMillis(by)
      while (left > 0) {
        const now = yield* Clock.currentTimeMillis
        const due = Math.min(...(yield* TestClock.sleeps())) - now
        const millis = Math.min(left, Math.max(100, Math.ceil(due)))
        yield* step(millis)
        yield* settleDown
        left -= millis
      }
    })

export const advance = advanceBy(settleDown, TestClock.adjust)

export const memoryWorld: World = {
  startServer: (options) =>
    Effect.map(startServer(options), (backend) => {
      const connect = ControlledBackend.make(backend)
      return { connect, connectByCalls: connect }
    }),
  settleDown,
  advance
}
