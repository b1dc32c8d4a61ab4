/** What a view makes of a storage. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { MemoryStorage, Storage, type Search } from "effect-larder"
import { stored, storageWith } from "./world.js"

it.each([0, -1, 1.5, Number.NaN, Infinity, "2" as never])(
  "a version is not %s: a defect says what is allowed",
  (version) => {
    expect(() => Storage.view(Schema.String, { version })).toThrow(
      /effect-larder: version is .*; allowed: a whole number from 1 up/
    )
  }
)

it.effect("a view without a prefix is of the storage as a whole, and its first version is 1", () =>
  Effect.gen(function* () {
    const view = Storage.view(Schema.DateFromString)
    yield* view.set("k", new Date(5))
    expect(yield* Storage.get("k")).toEqual(Option.some("1970-01-01T00:00:00.005Z"))
    const second = Storage.view(Schema.DateFromString, { version: 2 })
    const error = yield* Effect.flip(second.get("k"))
    expect(error.detail).toContain(
      'the entry at "k" cannot be read: it is of version 1, and there is no migration from 1.'
    )
  }).pipe(Effect.provide(MemoryStorage.layer()))
)

it.effect("a view searches under its prefix, whose letters are no pattern", () => {
  const searches: Array<Search> = []
  const view = Storage.view(Schema.Number, { prefix: "a[*]:" })
  return Effect.gen(function* () {
    expect(yield* view.keys("x?")).toEqual(["xy"])
    expect(Array.from(yield* Stream.runCollect(view.entries())).map(({ key }) => key)).toEqual([
      "xy",
      "z"
    ])
    expect(searches).toEqual([
      { start: "a[*]:x", pattern: "a\\[\\*\\]:x?" },
      { start: "a[*]:", pattern: "a\\[\\*\\]:*" }
    ])
  }).pipe(
    Effect.provide(
      storageWith(() => {
        const all = Stream.make(stored("a[*]:xy"), stored("a*:xy"), stored("a[*]:z"), stored("xy"))
        return {
          keys: (search) => Stream.map((searches.push(search), all), ({ key }) => key),
          entries: (search) => (searches.push(search), all)
        }
      })
    )
  )
})

it.effect("what is wrong is said by its place, and never by its value", () =>
  Effect.gen(function* () {
    const view = Storage.view(Schema.Struct({ user: Schema.NonEmptyString }))
    const refused = yield* Effect.flip(view.set("k", { user: "" }))
    expect(refused.message).toBe(
      "memory: set failed (InvalidValue): the view's schema does not encode the value at $.user"
    )
    yield* Storage.set("k", { user: 1_234 })
    const unread = yield* Effect.flip(view.get("k"))
    expect(unread.message).toContain("the view's schema does not decode it at $.user.")
    expect(unread.message).not.toContain("1234")
  }).pipe(Effect.provide(MemoryStorage.layer()))
)

it.effect("migrations go from version to version, each once, and only as far as they must", () =>
  Effect.gen(function* () {
    const steps: Array<number> = []
    const step = (from: number) => (value: number) => {
      steps.push(from)
      return value + 1
    }
    const migrations = { 0: step(0), 1: step(1), 2: step(2), 3: step(3) }
    const of = (version: number) => Storage.view(Schema.Number, { version, migrations })
    yield* Storage.set("plain", 0)
    yield* of(2).set("second", 2)
    expect(yield* of(3).get("plain")).toEqual(Option.some(3))
    expect(steps).toEqual([0, 1, 2])
    expect(yield* of(3).get("second")).toEqual(Option.some(3))
    expect(steps).toEqual([0, 1, 2, 2])
    expect(yield* of(2).get("second")).toEqual(Option.some(2))
    expect(steps).toEqual([0, 1, 2, 2])
    const later = yield* Effect.flip(of(1).get("second"))
    expect(later.detail).toContain("it is of version 2, and this view of 1")
    expect(yield* Storage.get("plain")).toEqual(Option.some(0))
  }).pipe(Effect.provide(MemoryStorage.layer()))
)

it.effect("a migration that throws leaves the entry Undecodable, and says which it was", () =>
  Effect.gen(function* () {
    const migrations = { 1: ({ user }: any) => user.name.first }
    yield* Storage.view(Schema.Struct({})).set("k", {})
    const view = Storage.view(Schema.String, { version: 2, migrations })
    const error = yield* Effect.flip(view.get("k"))
    expect(error.reason).toBe("Undecodable")
    expect(error.detail).toContain("the migration from version 1 threw")
  }).pipe(Effect.provide(MemoryStorage.layer()))
)

it.effect("what the schema needs, the effects of a view need", () => {
  class Key extends Context.Tag("Key")<Key, string>() {}
  const Sealed = Schema.transformOrFail(Schema.String, Schema.String, {
    strict: true,
    decode: (text) => Effect.map(Key, (key) => text.slice(key.length)),
    encode: (text) => Effect.map(Key, (key) => key + text)
  })
  const view = Storage.view(Sealed, { prefix: "sealed:" })
  return Effect.gen(function* () {
    yield* view.set("k", "text")
    expect(yield* Storage.get("sealed:k")).toEqual(Option.some("seal text"))
    expect(yield* view.get("k")).toEqual(Option.some("text"))
  }).pipe(Effect.provideService(Key, "seal "), Effect.provide(MemoryStorage.layer()))
})
