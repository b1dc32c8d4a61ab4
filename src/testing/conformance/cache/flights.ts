/** One run of the creator serves all who ask while it lasts. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Cache } from "../../../Cache.js"
import { expectEqual, expectThat } from "../expectation.js"
import {
  type CacheCase,
  counting,
  distinct,
  expectGet,
  gated,
  joined,
  together,
  unexpected
} from "./subject.js"

const once = "fibers that ask for one key at once share one run of the creator"
const apart = "keys do not wait for each other"
const shared = "a failure, or a defect, is given to all who wait, unchanged, and is not stored"
const survives = "a caller that leaves does not take the creator along, while others wait"
const lastOut =
  "the last caller to leave interrupts the creator, and its finalizers have run when it is gone"
const own = "the creator has a scope of its own, closed when it ends"
const nested =
  "a creator that asks for what it creates runs directly, unstored: nothing waits for itself"
const closes = "when the layer's scope closes, whoever waits is interrupted"

const expectRuns = (runs: number, expected: number) =>
  expectEqual("runs of the creator", runs, expected)

export const flights: ReadonlyArray<CacheCase> = [
  {
    name: "500 fibers on a cold key: one run",
    rule: once,
    run: ({ key }) =>
      Effect.gen(function* () {
        const value = { some: ["value"] }
        const { create, runs } = counting(() => Effect.succeed(value), 50)
        const given = yield* together(500, Cache.getOrCreate(key(), create))
        yield* expectEqual(
          "what they were given",
          given,
          given.map(() => value)
        )
        yield* expectRuns(runs(), 1)
        const { bypassed, hits, loads, misses, stale } = yield* Cache.counters
        yield* expectEqual(
          "loads, and lookups of any kind",
          [loads, hits + misses + stale + bypassed],
          [1, 500]
        )
      })
  },
  {
    name: "100 keys at once: 100 runs, side by side",
    rule: apart,
    run: ({ key }) =>
      Effect.gen(function* () {
        const all = yield* Deferred.make<void>()
        let running = 0
        const create = Effect.suspend(() =>
          ++running === 100 ? Deferred.succeed(all, undefined) : Deferred.await(all)
        )
        const keys = Array.from({ length: 100 }, (_, index) => key(String(index)))
        // In turn they would wait for ever: each ends when all have begun.
        yield* Effect.forEach(
          keys,
          (of) => Cache.getOrCreate(of, Effect.zipRight(create, Effect.succeed(of))),
          {
            concurrency: "unbounded"
          }
        )
        yield* expectRuns(running, 100)
      })
  },
  {
    name: "a failure is everybody's, and is not stored",
    rule: shared,
    run: ({ key }) =>
      Effect.gen(function* () {
        for (const failure of ["wrong", "", 0, null, undefined, false, { code: 7 }]) {
          const of = key(String(failure))
          const { create, runs } = counting(() => Effect.fail(failure))
          const exits = yield* together(50, Effect.exit(Cache.getOrCreate(of, create)))
          const failures = exits.map((exit) =>
            Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : exit
          )
          yield* expectEqual(
            "what 50 were given",
            failures,
            failures.map(() => Option.some(failure))
          )
          yield* expectRuns(runs(), 1)
          yield* expectGet(of, Option.none(), "get, after a failure")
          yield* expectEqual(
            "the next",
            yield* Cache.getOrCreate(of, Effect.succeed("right")),
            "right"
          )
        }
      })
  },
  {
    name: "a defect is everybody's, and is not stored",
    rule: shared,
    run: ({ key }) =>
      Effect.gen(function* () {
        const defect = new Error("a defect, on purpose")
        const { create, runs } = counting(() => Effect.die(defect))
        const exits = yield* together(50, Effect.exit(Cache.getOrCreate(key(), create)))
        const defects = exits.map((exit) =>
          Exit.isFailure(exit) ? Option.map(Cause.dieOption(exit.cause), Cause.originalError) : exit
        )
        yield* expectEqual(
          "what 50 were given",
          defects,
          defects.map(() => Option.some(defect))
        )
        yield* expectRuns(runs(), 1)
        yield* expectGet(key(), Option.none(), "get, after a defect")
      })
  },
  {
    name: "followers survive the interruption of the first caller",
    rule: survives,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { begun, create, interrupted, open, runs } = yield* gated("value")
        const lookup = Cache.getOrCreate(key(), create)
        const first = yield* Effect.fork(lookup)
        yield* begun
        const followers = yield* Effect.fork(together(20, lookup))
        yield* joined(20)
        const left = yield* Fiber.interrupt(first)
        yield* expectThat("the first caller", Exit.isInterrupted(left), "to be interrupted", left)
        yield* open
        yield* expectEqual("the followers", distinct(yield* followers), ["value"])
        yield* expectRuns(runs(), 1)
        yield* expectEqual("interrupted runs", interrupted(), 0)
        yield* expectGet(key(), Option.some("value"))
      })
  },
  {
    name: "when all have left, the creator is interrupted",
    rule: lastOut,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { begun, create, interrupted, runs } = yield* gated("never")
        const callers = yield* Effect.replicateEffect(
          Effect.fork(Cache.getOrCreate(key(), create)),
          10
        )
        yield* begun
        yield* joined(9)
        yield* Fiber.interruptAll(callers)
        yield* expectEqual(
          "runs, and runs whose finalizer has run",
          [runs(), interrupted()],
          [1, 1]
        )
        yield* expectGet(key(), Option.none())
        const next = Cache.getOrCreate(key(), Effect.succeed("next"))
        yield* expectEqual("who comes next", yield* next, "next")
      })
  },
  {
    name: "the next to come does not join a rebuild that is being ended",
    rule: lastOut,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { begun, create, ending } = yield* gated("never")
        const caller = yield* Effect.fork(Cache.getOrCreate(key(), create))
        yield* begun
        const leaving = yield* Effect.fork(Fiber.interrupt(caller))
        yield* ending
        const next = yield* Cache.getOrCreate(key(), Effect.succeed("next"))
        yield* expectEqual("who comes next", next, "next")
        yield* Fiber.join(leaving)
      })
  },
  {
    name: "the creator's scope is closed when it ends",
    rule: own,
    run: ({ key }) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const create = Effect.acquireRelease(
          Effect.sync(() => seen.push("acquired")),
          () => Effect.sync(() => seen.push("released"))
        )
        yield* Cache.getOrCreate(key(), Effect.as(create, "value"))
        yield* expectEqual("by the time the caller has its value", seen, ["acquired", "released"])
      })
  },
  {
    name: "a creator that asks for its own key ends",
    rule: nested,
    run: ({ key }) =>
      Effect.gen(function* () {
        const ask = (of: string, depth: number): Effect.Effect<number, never, Cache> =>
          depth === 0
            ? Effect.succeed(0)
            : Cache.getOrCreate(
                of,
                Effect.map(ask(of === key("a") ? key("b") : key("a"), depth - 1), (n) => n + 1)
              )
        const self: Effect.Effect<number, never, Cache> = Cache.getOrCreate(
          key("self"),
          Cache.getOrCreate(key("self"), Effect.succeed(1))
        )
        yield* expectEqual("a creator within its own", yield* self, 1)
        const inner = Cache.getOrCreate(key("self"), Effect.succeed("inner"))
        const overtaken = Effect.zipRight(Cache.invalidate(key("self")), inner)
        const outer = Cache.getOrCreate(key("self"), overtaken, { refresh: true })
        yield* expectEqual("the same, after it has invalidated itself", yield* outer, "inner")
        const crossed = yield* Effect.all([ask(key("a"), 4), ask(key("b"), 4)], {
          concurrency: "unbounded"
        })
        yield* expectThat(
          "two that ask for each other",
          crossed.every((depth) => depth > 0),
          "to end",
          crossed
        )
      })
  },
  {
    name: "nobody hangs on a cache whose scope has closed",
    rule: closes,
    run: ({ key, layer }) =>
      Effect.gen(function* () {
        const { begun, create } = yield* gated("never")
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(layer, scope)
        const waiting = yield* Effect.fork(
          together(5, Effect.exit(Effect.provide(Cache.getOrCreate(key(), create), context)))
        )
        yield* begun
        yield* Scope.close(scope, Exit.void)
        const exits = yield* Fiber.join(waiting)
        yield* expectThat(
          "those who waited",
          exits.every(Exit.isInterrupted),
          "to be interrupted",
          exits
        )
        const late = yield* Effect.exit(
          Effect.provide(Cache.getOrCreate(key(), unexpected()), context)
        )
        yield* expectThat("who comes later", Exit.isInterrupted(late), "to be interrupted", late)
      })
  }
]
