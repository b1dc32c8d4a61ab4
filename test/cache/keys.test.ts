/** Any string is a key, and no two are the same one. */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Cache, CacheRegion, MemoryBackend } from "effect-larder"
import { counting, keys, startProcess, tiers } from "./world.js"

// Few letters in every arrangement, and what has a meaning somewhere.
const key = FastCheck.oneof(
  FastCheck.array(
    FastCheck.constantFrom(
      ...["a", ":", "!", "{", "}", "*", "?", "[", "]", "\\", "%", "^", "\0", "\r\n", "é", "😀"],
      "\ud800",
      " "
    ),
    { maxLength: 6 }
  ).map((parts) => parts.join("")),
  FastCheck.constantFrom(
    ...["", "k", "k:lock", "larder", "larder:", "larder:k", "larder!lease:{larder:k}"],
    ...["!lease:{k}", "P!ended:{larder:k}", "__proto__", "constructor", "k:", ":k", "k:k"]
  )
)

const several = FastCheck.uniqueArray(key, { minLength: 2, maxLength: 12 })
const sorted = (texts: ReadonlyArray<string>) => texts.toSorted()

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect.prop(
      "each key has its own entry, and comes back from `keys` as it went in",
      [several],
      ([all]) =>
        Effect.gen(function* () {
          for (const one of all) yield* Cache.getOrCreate(one, Effect.succeed(one))
          expect(yield* keys).toEqual(sorted(all))
          for (const one of all) expect(yield* Cache.get(one)).toEqual(Option.some(one))
        }).pipe(Effect.provide(layer())),
      { fastCheck: { numRuns: 25 } }
    )

    it.effect.prop(
      "what is written to one key touches no other",
      [several],
      ([all]) =>
        Effect.gen(function* () {
          const [first = "", second = "", ...rest] = all
          for (const one of all) yield* Cache.set(one, one)
          expect(yield* Cache.invalidate(first)).toBe(true)
          expect(yield* Cache.invalidate(first)).toBe(false)
          yield* Cache.set(second, "other")
          expect(yield* keys).toEqual(sorted([second, ...rest]))
          expect(yield* Cache.get(second)).toEqual(Option.some("other"))
          for (const one of rest) expect(yield* Cache.get(one)).toEqual(Option.some(one))
        }).pipe(Effect.provide(layer())),
      { fastCheck: { numRuns: 25 } }
    )

    it.effect.prop(
      "keys that are being created do not wait for each other",
      [several],
      ([all]) =>
        Effect.gen(function* () {
          const [slow = "", ...others] = all
          const begun = yield* Deferred.make<void>()
          const endless = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
          const creating = yield* Effect.fork(Cache.getOrCreate(slow, endless))
          yield* Deferred.await(begun)
          const created = yield* Effect.forEach(
            others,
            (one) => Cache.getOrCreate(one, Effect.succeed(one)),
            { concurrency: "unbounded" }
          )
          expect(created).toEqual(others)
          expect(yield* creating.poll).toEqual(Option.none())
        }).pipe(Effect.provide(layer())),
      { fastCheck: { numRuns: 20 } }
    )

    it.effect("a key of a megabyte is a key like others", () =>
      Effect.gen(function* () {
        const long = "x".repeat(1_048_576)
        const user = counting(Effect.succeed(1))
        yield* Cache.getOrCreate(`${long}a`, user.create)
        yield* Cache.getOrCreate(`${long}a`, user.create)
        yield* Cache.set(`${long}b`, 2)
        expect(user.runs).toBe(1)
        expect(yield* Cache.get(`${long}b`)).toEqual(Option.some(2))
        expect((yield* keys).map((each) => each.at(-1))).toEqual(["a", "b"])
        expect(yield* Cache.invalidate(`${long}a`)).toBe(true)
        expect((yield* keys).map((each) => each.at(-1))).toEqual(["b"])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("`keys` takes a glob as in Redis", () =>
      Effect.gen(function* () {
        for (const each of ["user:1", "user:10", "user:*", "User:1", "order:1"]) {
          yield* Cache.set(each, 1)
        }
        const matching = (pattern: string) =>
          Effect.map(Stream.runCollect(Cache.keys(pattern)), (found) =>
            Chunk.toArray(found).toSorted()
          )
        expect(yield* matching("user:*")).toEqual(["user:*", "user:1", "user:10"])
        expect(yield* matching("user:\\*")).toEqual(["user:*"])
        expect(yield* matching("?ser:1")).toEqual(["User:1", "user:1"])
        expect(yield* matching("[^u]*")).toEqual(["User:1", "order:1"])
        expect(yield* matching("nobody")).toEqual([])
      }).pipe(Effect.provide(layer()))
    )

    it.effect.prop(
      "a region and a key are told from every other region and key",
      [
        FastCheck.uniqueArray(FastCheck.tuple(key, key), {
          minLength: 2,
          maxLength: 8,
          selector: (pair) => JSON.stringify(pair)
        })
      ],
      ([pairs]) =>
        Effect.gen(function* () {
          const regionOf = (region: string) =>
            CacheRegion.make({ name: region, value: Schema.Number })
          for (const [at, [region, one]] of pairs.entries()) {
            expect(yield* regionOf(region).getOrCreate(one, Effect.succeed(at))).toBe(at)
          }
          for (const [at, [region, one]] of pairs.entries()) {
            expect(yield* regionOf(region).get(one)).toEqual(Option.some(at))
          }
        }).pipe(Effect.provide(layer())),
      { fastCheck: { numRuns: 25 } }
    )

    it.effect("the plain key `user:42` is key 42 of the region `user`", () =>
      Effect.gen(function* () {
        const users = CacheRegion.make({
          name: "user",
          key: (id: number) => String(id),
          value: Schema.String
        })
        yield* users.set(42, "Ada")
        expect(yield* Cache.get("user:42")).toEqual(Option.some("Ada"))
        expect(yield* Cache.invalidate("user:42")).toBe(true)
        expect(yield* users.get(42)).toEqual(Option.none())
      }).pipe(Effect.provide(layer()))
    )
  })
}

it.scoped("in a shared backend the value of key k is at P:k, and of a region's at P:r:k", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const cache = yield* startProcess(backend, { prefix: "app" })
    const users = CacheRegion.make({ name: "a:b%", value: Schema.Number })
    yield* cache(Cache.getOrCreate("k {x}", Effect.succeed(1)))
    yield* cache(users.getOrCreate("k:1", Effect.succeed(1)))
    const stored = yield* Stream.runCollect(backend.keys(""))
    expect(Chunk.toArray(stored).toSorted()).toEqual(["app:a%3Ab%25:k:1", "app:k {x}"])
    expect(yield* cache(keys)).toEqual(["a%3Ab%25:k:1", "k {x}"])
  })
)
