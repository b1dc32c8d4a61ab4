/** What a storage does in this process. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { MemoryStorage, Storage, type StorageError } from "effect-larder"

it.effect("an entry comes back with its metadata and its times, until its time is over", () =>
  Effect.gen(function* () {
    yield* Storage.set("k", { a: [1, null] }, { ttl: "1 minute", metadata: { by: "me" } })
    const entry = Option.getOrThrow(yield* Storage.getEntry("k"))
    expect(entry.value).toEqual({ a: [1, null] })
    expect(entry.metadata).toEqual({ by: "me" })
    yield* TestClock.adjust("1 minute")
    expect(yield* Storage.get("k")).toEqual(Option.none())
    expect(yield* Storage.cleanup()).toBe(0)
    const error = yield* Effect.flip(Storage.set("k", 1, { ttl: 0 }))
    expect(error.message).toBe(
      "memory: set failed (InvalidTtl): ttl is 0; allowed: a duration above zero, or Infinity, for good"
    )
    yield* Storage.setMany([
      ["b", 1],
      ["a", undefined],
      ["b", 2]
    ])
    expect(yield* Storage.keys()).toEqual(["a", "b"])
    expect(yield* Storage.getMany(["b", "a", "x", "b"])).toEqual([
      Option.some(2),
      Option.some(undefined),
      Option.none(),
      Option.some(2)
    ])
  }).pipe(Effect.provide(MemoryStorage.layer()))
)

it.effect("who sets another key for each one that comes comes to an end", () =>
  Effect.gen(function* () {
    const keys = Array.from({ length: 10_000 }, (_, index) => `k${index}`)
    yield* Storage.setMany(keys.map((key) => [key, 1]))
    const copies = (stream: Stream.Stream<string, StorageError, Storage>) =>
      stream.pipe(
        Stream.take(100_000),
        Stream.tap((key) => Storage.set(`${key} copied`, 1)),
        Stream.runCount
      )
    expect(yield* copies(Storage.keysStream())).toBe(10_000)
    expect(yield* copies(Stream.map(Storage.entries(), ({ key }) => key))).toBe(20_000)
  }).pipe(Effect.provide(MemoryStorage.layer()))
)

it.effect("what goes, or is set anew, while someone looks is met as it is", () =>
  Effect.gen(function* () {
    const keys = Array.from({ length: 10_000 }, (_, index) => `k${index}`)
    yield* Storage.setMany(keys.map((key) => [key, 1]))
    const change = Effect.zipRight(Storage.delete("k9998"), Storage.set("k9999", 2))
    const last = yield* Storage.entries().pipe(
      Stream.tap(({ key }) => Effect.when(change, () => key === "k0")),
      Stream.runLast
    )
    expect(Option.map(last, ({ key, value }) => [key, value])).toEqual(Option.some(["k9999", 2]))
  }).pipe(Effect.provide(MemoryStorage.layer()))
)
