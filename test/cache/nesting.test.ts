/** Creators that ask the cache again: for their own key, or in a circle. All of them end. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { Cache, MemoryBackend } from "effect-larder"
import { advance, settleDown } from "../protocol/world.js"
import { counting, crowd, startProcess, tiers, yieldingAnywhere } from "./world.js"

type Lookup = Effect.Effect<string, never, Cache>

/**
 * Creators in a circle: that of each key asks for the next one, so many steps
 * in all, and says which way it went.
 */
const circle = (
  keys: ReadonlyArray<string>,
  start: number,
  steps: number,
  lookup: (key: string, create: Lookup) => Lookup = (key, create) => Cache.getOrCreate(key, create)
): Lookup => {
  const key = keys[start % keys.length]!
  const create: Lookup =
    steps === 0
      ? Effect.succeed(key)
      : Effect.map(
          // What comes next has had its chance to begin before it is asked for.
          Effect.zipRight(Effect.yieldNow(), circle(keys, start + 1, steps - 1, lookup)),
          (rest) => `${key}${rest}`
        )
  return lookup(key, create)
}

/** A caller for each key of a circle, all at once, several times over. */
const callers = (
  keys: ReadonlyArray<string>,
  lookup?: (key: string, create: Lookup) => Lookup
): Effect.Effect<ReadonlyArray<string>, never, Cache> =>
  Effect.forEach(
    [...keys.keys(), ...keys.keys(), ...keys.keys()],
    (start) => circle(keys, start, keys.length * 2, lookup),
    { concurrency: "unbounded" }
  )

/** Fails, instead of hanging, where the callers never come back. */
const ends = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    for (let round = 0; round < 100; round++) {
      yield* settleDown
      const exit = yield* Fiber.poll(fiber)
      if (Option.isSome(exit)) return yield* exit.value
    }
    return yield* Effect.dieMessage("the callers wait for each other")
  })

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("a creator that asks for its own key runs the inner creator, unstored", () =>
      Effect.gen(function* () {
        const inner = counting(Effect.succeed("inner"))
        const outer = counting(
          Effect.map(Cache.getOrCreate("k", inner.create), (value) => `outer of ${value}`)
        )
        const lookup = Cache.getOrCreate("k", outer.create)
        expect(yield* ends(crowd(100, lookup))).toHaveLength(100)
        expect(yield* Cache.get("k")).toEqual(Option.some("outer of inner"))
        expect([outer.runs, inner.runs]).toEqual([1, 1])
        expect(yield* Cache.counters).toMatchObject({ misses: 101, hits: 1, loads: 2 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("the failure of an inner creator is counted, and goes to the outer one", () =>
      Effect.gen(function* () {
        const inner = Cache.getOrCreate("k", Effect.fail("down" as const))
        const lookup = Cache.getOrCreate(
          "k",
          Effect.catchAll(inner, () => Effect.succeed("up"))
        )
        expect(yield* ends(lookup)).toBe("up")
        expect(yield* Cache.counters).toMatchObject({ misses: 2, loads: 2, loadFailures: 1 })
      }).pipe(Effect.provide(layer()))
    )

    for (const keys of [["a"], ["a", "b"], ["a", "b", "c"]]) {
      const size = keys.length === 1 ? "one key" : `${keys.length} keys`

      it.effect(`a cycle of ${size}, entered everywhere at once, ends`, () =>
        Effect.gen(function* () {
          const values = yield* ends(callers(keys))
          expect(values.map((value) => value[0])).toEqual([...keys, ...keys, ...keys])
          const { hits, loads, misses } = yield* Cache.counters
          expect(hits + misses).toBeGreaterThanOrEqual(values.length)
          expect(loads).toBeLessThanOrEqual(hits + misses)
          // It goes on as if nothing had been.
          expect(yield* Cache.getOrCreate("a", Effect.die("not asked"))).toMatch(/^a/)
        }).pipe(Effect.provide(layer()))
      )

      it.effect(`a cycle of ${size} ends with \`refresh: true\``, () =>
        Effect.gen(function* () {
          const refreshing = (key: string, create: Lookup) =>
            Cache.getOrCreate(key, create, { refresh: true })
          const values = yield* ends(callers(keys, refreshing))
          expect(values.map((value) => value[0])).toEqual([...keys, ...keys, ...keys])
        }).pipe(Effect.provide(layer()))
      )

      it.effect(`a cycle of ${size} ends with writes in its middle`, () =>
        Effect.gen(function* () {
          let asked = 0
          const writing = (key: string, create: Lookup): Lookup =>
            Effect.suspend(() => {
              const write =
                asked++ % 3 === 0 ? Cache.clear : asked % 2 === 0 ? Cache.set(key, key) : undefined
              return Effect.zipRight(write ?? Cache.invalidate(key), Cache.getOrCreate(key, create))
            })
          const values = yield* ends(callers(keys, writing))
          expect(values).toHaveLength(3 * keys.length)
        }).pipe(Effect.provide(layer()))
      )

      it.live.prop(
        `a cycle of ${size} ends wherever its fibers yield`,
        [FastCheck.integer({ min: 1, max: 2 ** 31 - 2 })],
        ([seed]) =>
          Effect.gen(function* () {
            const values = yield* ends(Effect.withScheduler(callers(keys), yieldingAnywhere(seed)))
            expect(values.map((value) => value[0])).toEqual([...keys, ...keys, ...keys])
          }).pipe(Effect.provide(layer())),
        { fastCheck: { numRuns: 40 } }
      )
    }

    it.effect("two callers in a cycle of two, their creators begun before either asks, end", () =>
      Effect.gen(function* () {
        const both = yield* Deferred.make<void>()
        let begun = 0
        const meet = Effect.suspend(() =>
          ++begun === 2
            ? Effect.zipRight(Deferred.succeed(both, undefined), Deferred.await(both))
            : Deferred.await(both)
        )
        const asking = (key: string, other: string) =>
          Cache.getOrCreate(
            key,
            Effect.zipRight(meet, Cache.getOrCreate(other, Effect.succeed("direct")))
          )
        const values = yield* ends(
          Effect.all([asking("a", "b"), asking("b", "a")], { concurrency: "unbounded" })
        )
        expect(values).toEqual(["direct", "direct"])
        expect(yield* Cache.counters).toMatchObject({ misses: 4, loads: 3 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("joining what another waits for is no cycle, and is shared", () =>
      Effect.gen(function* () {
        const leaf = counting(Effect.as(Effect.sleep("1 second"), "leaf"))
        const asking = (key: string) =>
          Cache.getOrCreate(key, Cache.getOrCreate("leaf", leaf.create))
        const fiber = yield* Effect.fork(
          Effect.all(["a", "b", "leaf"].map(asking), { concurrency: "unbounded" })
        )
        yield* settleDown
        yield* advance("1 second")
        expect(yield* ends(Fiber.join(fiber))).toEqual(["leaf", "leaf", "leaf"])
        expect(leaf.runs).toBeLessThanOrEqual(2)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a fiber that outlives the creator it was forked in asks like anybody", () =>
      Effect.gen(function* () {
        const ended = yield* Deferred.make<void>()
        const again = counting(Effect.succeed("again"))
        const forking: Effect.Effect<Fiber.Fiber<string>, never, Cache> = Effect.forkDaemon(
          Effect.zipRight(Deferred.await(ended), Cache.getOrCreate("k", again.create))
        )
        let survivor: Fiber.Fiber<string> | undefined
        const create = Effect.map(forking, (fiber) => {
          survivor = fiber
          return "first"
        })
        expect(yield* Cache.getOrCreate("k", create)).toBe("first")
        yield* Cache.invalidate("k")
        yield* Deferred.succeed(ended, undefined)
        expect(yield* Fiber.join(survivor!)).toBe("again")
        // Stored, as it would not be if it had counted as within the creator.
        expect(yield* Cache.get("k")).toEqual(Option.some("again"))
        expect(again.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    // A's creator forks a fiber that asks for B, and ends; then B's creator asks
    // for A. It was begun within A, but nobody waits for A any more.
    it.effect("a creator begun within one that has ended asks for its key like anybody", () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const ended = yield* Deferred.make<void>()
        const again = counting(Effect.succeed("again"))
        const asking = Effect.zipRight(
          Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(ended)),
          Cache.getOrCreate("a", again.create)
        )
        const survivor = yield* Cache.getOrCreate(
          "a",
          Effect.zipLeft(Effect.forkDaemon(Cache.getOrCreate("b", asking)), Deferred.await(begun)),
          { ttl: 0 }
        )
        yield* Deferred.succeed(ended, undefined)
        expect(yield* Fiber.join(survivor)).toBe("again")
        expect(yield* Cache.get("a")).toEqual(Option.some("again"))
      }).pipe(Effect.provide(layer()))
    )
  })
}

/** Two processes in each other's way; they may wait for one lease duration, and no longer. */
const crossed = (): Effect.Effect<ReadonlyArray<string>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const here = yield* startProcess(backend)
    const there = yield* startProcess(backend)
    const asking = (key: string, other: string) =>
      Cache.getOrCreate(
        key,
        Effect.delay(Cache.getOrCreate(other, Effect.succeed("direct")), "1 second")
      )
    const fiber = yield* Effect.fork(
      Effect.all([here(asking("a", "b")), there(asking("b", "a"))], { concurrency: 2 })
    )
    yield* advance("1 second")
    yield* advance("5500 millis")
    return yield* ends(Fiber.join(fiber))
  })

it.scoped("a cycle across two processes ends within a lease's duration", () =>
  Effect.map(crossed(), (values) => {
    expect(values).toEqual(["direct", "direct"])
  })
)
