/** With an `error` schema, failures of that kind are entries, for a short while. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/TestClock"
import { Cache, CacheRegion, MemoryBackend } from "effect-larder"
import { advance, settleDown } from "../protocol/world.js"
import { counting, crowd, keys, kinds, startProcess } from "./world.js"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {
  id: Schema.Number,
  since: Schema.Date
}) {}

const users = CacheRegion.make({
  name: "user",
  key: (id: number) => String(id),
  value: Schema.String,
  error: NotFound
})

const notFound = new NotFound({ id: 42, since: new Date(0) })

for (const { layer, name } of kinds) {
  describe(`on ${name}`, () => {
    it.effect("a failure of that kind is kept for 10 seconds", () =>
      Effect.gen(function* () {
        const user = counting(Effect.fail(notFound))
        const lookup = Effect.flip(users.getOrCreate(42, user.create))
        expect(yield* lookup).toBeInstanceOf(NotFound)
        yield* TestClock.adjust(9_999)
        const kept = yield* lookup
        expect(kept).toBeInstanceOf(NotFound)
        expect([kept.id, kept.since]).toEqual([42, new Date(0)])
        expect(user.runs).toBe(1)
        yield* TestClock.adjust(1)
        yield* lookup
        expect(user.runs).toBe(2)
        expect(yield* users.counters).toMatchObject({ hits: 1, misses: 2, loadFailures: 2 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("or for `errorTtl`, whatever the stale windows of values are", () =>
      Effect.gen(function* () {
        const region = CacheRegion.make({
          name: "user",
          value: Schema.String,
          error: Schema.String,
          errorTtl: "1 minute",
          ttl: "1 second",
          staleWhileRevalidate: "1 hour"
        })
        const lookup = (message: string) =>
          Effect.exit(region.getOrCreate("k", Effect.fail(message)))
        yield* lookup("first")
        yield* TestClock.adjust(59_999)
        expect(yield* lookup("second")).toEqual(Exit.fail("first"))
        yield* TestClock.adjust(1)
        expect(yield* lookup("second")).toEqual(Exit.fail("second"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("`get` of a cached failure is none, and a miss; an operator sees it", () =>
      Effect.gen(function* () {
        yield* Effect.exit(users.getOrCreate(42, Effect.fail(notFound)))
        expect(yield* users.get(42)).toEqual(Option.none())
        expect(yield* users.counters).toMatchObject({ hits: 0, misses: 2, decodeErrors: 0 })
        expect(yield* Cache.inspect("user:42")).toMatchObject({ value: { kind: "failure" } })
        expect(yield* keys).toEqual(["user:42"])
      }).pipe(Effect.provide(layer()))
    )

    for (const [what, create] of [
      ["a failure of another kind", Effect.fail("down")],
      ["a defect", Effect.die(notFound)],
      ["an interruption", Effect.interrupt]
    ] as ReadonlyArray<[string, Effect.Effect<string, string>]>) {
      it.effect(`${what} is not kept`, () =>
        Effect.gen(function* () {
          const user = counting(create)
          const exits = [
            yield* Effect.exit(users.getOrCreate(42, user.create)),
            yield* Effect.exit(users.getOrCreate(42, user.create))
          ]
          const [expected] = yield* crowd(1, create)
          expect(exits.map(Exit.isInterrupted)).toEqual(Array(2).fill(what === "an interruption"))
          if (what !== "an interruption") expect(exits).toEqual([expected, expected])
          expect(user.runs).toBe(2)
          expect(yield* keys).toEqual([])
        }).pipe(Effect.provide(layer()))
      )
    }

    it.effect("a failure that is undefined, null, 0 or empty is kept like others", () =>
      Effect.gen(function* () {
        const region = CacheRegion.make({
          name: "odd",
          value: Schema.String,
          error: Schema.Union(Schema.Undefined, Schema.Null, Schema.Literal(0, ""))
        })
        for (const failure of [undefined, null, 0, ""] as const) {
          const creator = counting(Effect.fail(failure))
          const lookup = Effect.exit(region.getOrCreate(String(failure), creator.create))
          expect([yield* lookup, yield* lookup]).toEqual([Exit.fail(failure), Exit.fail(failure)])
          expect(creator.runs).toBe(1)
        }
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a value after a failure, and a failure after a value, replace each other", () =>
      Effect.gen(function* () {
        yield* Effect.exit(users.getOrCreate(42, Effect.fail(notFound)))
        const refresh = { refresh: true }
        expect(yield* users.getOrCreate(42, Effect.succeed("Ada"), refresh)).toBe("Ada")
        expect(yield* users.get(42)).toEqual(Option.some("Ada"))
        yield* Effect.exit(users.getOrCreate(42, Effect.fail(notFound), refresh))
        expect(yield* users.get(42)).toEqual(Option.none())
        yield* users.set(42, "Grace")
        expect(yield* users.getOrCreate(42, Effect.die("not asked"))).toBe("Grace")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("an invalidation overtakes a failure that is on its way", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<never, NotFound>()
        const first = yield* Effect.fork(users.getOrCreate(42, Deferred.await(gate)))
        yield* settleDown
        yield* users.invalidate(42)
        yield* Deferred.fail(gate, notFound)
        expect(yield* Fiber.await(first)).toEqual(Exit.fail(notFound))
        expect(yield* users.getOrCreate(42, Effect.succeed("Ada"))).toBe("Ada")
      }).pipe(Effect.provide(layer()))
    )

    it.effect("to a reader without that schema a cached failure is a miss", () =>
      Effect.gen(function* () {
        yield* Effect.exit(users.getOrCreate(42, Effect.fail(notFound)))
        expect(yield* Cache.getOrCreate("user:42", Effect.succeed("Ada"))).toBe("Ada")
        expect(yield* users.get(42)).toEqual(Option.some("Ada"))
      }).pipe(Effect.provide(layer()))
    )
  })
}

it.scoped("a kept failure is shared by all who wait, in both processes", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const here = yield* startProcess(backend)
    const there = yield* startProcess(backend)
    const user = counting(Effect.delay(Effect.fail(notFound), "50 millis"))
    const lookup = crowd(100, users.getOrCreate(42, user.create))
    const callers = yield* Effect.fork(
      Effect.all([here(lookup), there(lookup)], { concurrency: 2 })
    )
    yield* advance("500 millis")
    expect((yield* Fiber.join(callers)).flat()).toEqual(Array(200).fill(Exit.fail(notFound)))
    expect(user.runs).toBe(1)
  })
)
