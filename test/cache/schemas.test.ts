/** A schema encodes what is stored and vouches for what is read; what it rejects is a miss. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion } from "effect-larder"
import { settleDown } from "../protocol/world.js"
import { counting, crowd, kinds, refusing, tiers, withLog } from "./world.js"

class User extends Schema.Class<User>("User")({
  name: Schema.String,
  since: Schema.DateFromSelf
}) {}

const Row = Schema.Struct({
  at: Schema.Date,
  tags: Schema.Set(Schema.String),
  big: Schema.BigInt,
  missing: Schema.optional(Schema.String)
})

const row: typeof Row.Type = { at: new Date(0), tags: new Set(["a", "b"]), big: 10n ** 30n }

for (const { layer, name } of kinds) {
  describe(`on ${name}`, () => {
    it.effect("what JSON would lose comes back through its schema", () =>
      Effect.gen(function* () {
        const creator = counting(Effect.succeed(row))
        const lookup = Cache.getOrCreate("k", creator.create, { schema: Row })
        expect([yield* lookup, yield* lookup]).toEqual([row, row])
        expect(creator.runs).toBe(1)
        yield* Cache.set("set", row, { schema: Row })
        expect(yield* Cache.get("set", Row)).toEqual(Option.some(row))
        expect((yield* Cache.counters).encodeErrors).toBe(0)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("an entry that the reader's schema rejects is a miss, counted and replaced", () =>
      Effect.gen(function* () {
        yield* Cache.getOrCreate("k", Effect.succeed(42))
        expect(yield* Cache.get("k", Schema.String)).toEqual(Option.none())
        expect(yield* Cache.counters).toMatchObject({ hits: 0, misses: 2, decodeErrors: 1 })
        const creator = counting(Effect.succeed("forty-two"))
        const lookup = Cache.getOrCreate("k", creator.create, { schema: Schema.String })
        expect([yield* lookup, yield* lookup]).toEqual(["forty-two", "forty-two"])
        expect(creator.runs).toBe(1)
        expect(yield* Cache.counters).toMatchObject({ hits: 1, misses: 3, decodeErrors: 2 })
        expect(yield* Cache.get("k")).toEqual(Option.some("forty-two"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("who joins is given nothing that its own schema rejects", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<number>()
        const first = yield* Effect.fork(Cache.getOrCreate("k", Deferred.await(gate)))
        yield* settleDown
        const text = counting(Effect.succeed("forty-two"))
        const joining = (schema: Schema.Schema<any>) =>
          Effect.fork(crowd(20, Cache.getOrCreate("k", text.create, { schema })))
        const fitting = yield* joining(Schema.Number)
        const unfitting = yield* joining(Schema.String)
        yield* settleDown
        yield* Deferred.succeed(gate, 42)
        expect(yield* Fiber.join(first)).toBe(42)
        const valuesOf = (fiber: typeof fitting) =>
          Effect.map(Fiber.join(fiber), (exits) => [
            ...new Set(exits.map((exit) => (exit._tag === "Success" ? exit.value : exit)))
          ])
        expect(yield* valuesOf(fitting)).toEqual([42])
        expect(yield* valuesOf(unfitting)).toEqual(["forty-two"])
        expect(text.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("entries of another version are misses, and replaced", () =>
      Effect.gen(function* () {
        const version = (version: number | undefined) =>
          CacheRegion.make({ name: "user", value: Schema.String, version })
        const lookup = (of: number | undefined) =>
          version(of).getOrCreate("k", Effect.succeed(`by ${of}`))
        expect(yield* lookup(1)).toBe("by 1")
        expect(yield* version(2).get("k")).toEqual(Option.none())
        expect(yield* lookup(2)).toBe("by 2")
        expect(yield* lookup(2)).toBe("by 2")
        expect(yield* version(1).get("k")).toEqual(Option.none())
        expect(yield* lookup(undefined)).toBe("by undefined")
        expect(yield* Cache.get("user:k")).toEqual(Option.some("by undefined"))
      }).pipe(Effect.provide(layer()))
    )
  })
}

for (const { layer, name } of refusing) {
  it.effect(`on ${name}, what its schema cannot encode is refused: the log says where`, () =>
    Effect.gen(function* () {
      const value = { ...row, at: new Date(Number.NaN), secret: "the crown jewels" }
      const [got, lines] = yield* withLog(
        Cache.getOrCreate("user:42", Effect.succeed(value), { schema: Row })
      )
      expect(got).toBe(value)
      expect(lines).toEqual([expect.stringMatching(/user:\*.* \$\.at\b/)])
      expect(lines[0]).not.toMatch(/crown|42/)
      expect(yield* Cache.stats).toMatchObject({ encodeErrors: 1, size: 0 })
    }).pipe(Effect.provide(layer()))
  )

  it.effect(`on ${name}, a schema that leaves what JSON would lose is refused, too`, () =>
    Effect.gen(function* () {
      const user = new User({ name: "Ada", since: new Date(0) })
      const [, lines] = yield* withLog(
        Cache.getOrCreate("k", Effect.succeed(user), { schema: User })
      )
      expect(lines).toEqual([expect.stringContaining("$.since")])
      expect(yield* Cache.stats).toMatchObject({ encodeErrors: 1, size: 0 })
    }).pipe(Effect.provide(layer()))
  )
}

for (const { layer, name } of tiers) {
  it.effect.prop(
    `on ${name}, what a schema describes comes back as it was`,
    [
      FastCheck.record({
        at: FastCheck.date({ noInvalidDate: true }),
        map: FastCheck.array(FastCheck.tuple(FastCheck.string(), FastCheck.integer())).map(
          (pairs) => new Map(pairs)
        )
      })
    ],
    ([value]) =>
      Effect.gen(function* () {
        const schema = Schema.Struct({
          at: Schema.Date,
          map: Schema.ReadonlyMap({ key: Schema.String, value: Schema.Int })
        })
        const creator = counting(Effect.succeed(value))
        const lookup = Cache.getOrCreate("k", creator.create, { schema })
        expect([yield* lookup, yield* lookup]).toEqual([value, value])
        expect(creator.runs).toBe(1)
      }).pipe(Effect.provide(layer())),
    { fastCheck: { numRuns: 30 } }
  )
}
