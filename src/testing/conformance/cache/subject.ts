/** What a test of a cache has in hand: a cache of its own, and keys that nobody else uses. */
import type * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Cache } from "../../../Cache.js"
import { tokens } from "../../../core/tokens.js"
import { eventually, expectEqual, expectThat, type Nonconformity } from "../expectation.js"
import type { Using } from "../register.js"

export interface Subject {
  readonly layer: Layer.Layer<Cache, unknown>
  readonly context: Context.Context<Cache>
  /** A shared store keeps what is there: no two tests use the same key. */
  readonly key: (name?: string) => string
  /** The name of a region of this test's own. */
  readonly region: (name?: string) => string
  /** What all its keys begin with. */
  readonly start: string
  /** A ttl short enough to wait for, which the store can still give; milliseconds. */
  readonly shortTtl: number
}

const nextId = /* @__PURE__ */ tokens()

export const makeSubject = <E>(
  layer: Layer.Layer<Cache, E>,
  options: { readonly shortestTtl: number; readonly scan: boolean }
): Effect.Effect<Subject, E, Scope.Scope> =>
  Effect.gen(function* () {
    const start = `conformance-${nextId()}-`
    const context = yield* Layer.build(layer)
    if (options.scan) {
      const remove = Stream.runForEach(Cache.keys(`${start}*`), Cache.invalidate)
      yield* Effect.addFinalizer(() => Effect.provide(remove, context))
    }
    return {
      layer,
      context,
      start,
      key: (name = "key") => start + name,
      region: (name = "region") => start + name,
      shortTtl: Math.max(120, 2 * options.shortestTtl)
    }
  })

/** A case whose effects use the cache that is there. */
export type CacheCase = Using<Cache, Subject>

/** What `get` finds, as plain data. */
export const expectGet = (
  key: string,
  expected: Option.Option<unknown>,
  what = "get"
): Effect.Effect<void, Nonconformity, Cache> =>
  Effect.flatMap(Cache.get(key), (found) => expectEqual(what, found, expected))

/** Returns once so many callers have joined what others began. */
export const joined = (callers: number): Effect.Effect<void, Nonconformity, Cache> =>
  eventually(
    Effect.flatMap(Cache.counters, ({ coalesced }) =>
      expectThat("coalesced", coalesced >= callers, `${callers} or more`, coalesced)
    )
  )

/** A creator that must not run. */
export const unexpected = <A = unknown>(): Effect.Effect<A> =>
  Effect.dieMessage("the creator of an entry that is there ran")

/** A creator that counts its runs, and ends when the test says so. */
export interface Gated<A> {
  readonly create: Effect.Effect<A>
  /** Returns once it runs. */
  readonly begun: Effect.Effect<void>
  /** Returns once it is being interrupted. */
  readonly ending: Effect.Effect<void>
  readonly open: Effect.Effect<void>
  readonly runs: () => number
  /** How many runs were interrupted, and have been through their finalizer. */
  readonly interrupted: () => number
}

export const gated = <A>(value: A): Effect.Effect<Gated<A>> =>
  Effect.gen(function* () {
    const [begun, ending] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const gate = yield* Deferred.make<void>()
    let [runs, interrupted] = [0, 0]
    return {
      create: Effect.suspend(() => {
        runs++
        return Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(gate))
      }).pipe(
        Effect.as(value),
        Effect.onInterrupt(() =>
          Deferred.succeed(ending, undefined).pipe(
            Effect.zipRight(Effect.sleep(20)),
            Effect.map(() => interrupted++)
          )
        )
      ),
      begun: Deferred.await(begun),
      ending: Deferred.await(ending),
      open: Effect.asVoid(Deferred.succeed(gate, undefined)),
      runs: () => runs,
      interrupted: () => interrupted
    }
  })

/** A creator that takes a moment and counts its runs. */
export const counting = <A, E = never>(
  create: (run: number) => Effect.Effect<A, E>,
  millis = 20
): { readonly create: Effect.Effect<A, E>; readonly runs: () => number } => {
  let runs = 0
  return {
    create: Effect.delay(
      Effect.suspend(() => create(++runs)),
      millis
    ),
    runs: () => runs
  }
}

export const together = <A, E, R>(
  times: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Array<A>, E, R> =>
  Effect.all(
    Array.from({ length: times }, () => effect),
    { concurrency: "unbounded" }
  )

export const distinct = (values: Iterable<unknown>): ReadonlyArray<unknown> => [...new Set(values)]
