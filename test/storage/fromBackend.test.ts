/** What a storage does itself, whatever store it is over. */
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { MemoryStorage, MemoryStorageLive, Storage, StorageEntry } from "effect-larder"
import type { Search, Writing } from "effect-larder"
import { lifeOf } from "../../src/testing/conformance/storage/subject.js"
import { defectOf, down, stored, storageWith } from "./world.js"

const lifeAt = (key: string) =>
  Effect.map(Storage.getEntry(key), (entry) => lifeOf(Option.getOrThrow(entry)))

describe("the default ttl of a layer", () => {
  it.effect.each<Duration.DurationInput>([
    ...[0, -1, Number.NaN, Duration.zero],
    "0 seconds",
    "soon" as never
  ])("is not %s: a defect says what is allowed", (ttl) =>
    Effect.gen(function* () {
      const built = Effect.scoped(Layer.build(MemoryStorage.layer({ ttl })))
      expect(yield* defectOf(built)).toMatch(/effect-larder: ttl is .*; allowed: a duration/)
    })
  )

  it.effect("is infinite unless it is given, and stands back for what set says", () =>
    Effect.gen(function* () {
      const set = Effect.gen(function* () {
        yield* Storage.set("default", 1)
        yield* Storage.set("own", 1, { ttl: "2 hours" })
        yield* Storage.set("unset", 1, { ttl: undefined, metadata: undefined })
        return yield* Effect.all([lifeAt("default"), lifeAt("own"), lifeAt("unset")])
      })
      const [hour, ever] = [3_600_000, Infinity]
      expect(yield* Effect.provide(set, MemoryStorageLive)).toEqual([ever, 2 * hour, ever])
      expect(yield* Effect.provide(set, MemoryStorage.layer({ ttl: "1 hour" }))).toEqual([
        hour,
        2 * hour,
        hour
      ])
      expect(yield* Effect.provide(set, MemoryStorage.layer({ ttl: 0.5 }))).toEqual([
        1,
        2 * hour,
        1
      ])
    })
  )

  it.effect("may come from the environment", () =>
    Effect.gen(function* () {
      const layer = MemoryStorage.layerConfig({ ttl: Config.duration("TTL") })
      const life = Effect.zipRight(Storage.set("k", 1), lifeAt("k"))
      const provider = ConfigProvider.fromMap(new Map([["TTL", "5 minutes"]]))
      expect(yield* Effect.withConfigProvider(Effect.provide(life, layer), provider)).toBe(300_000)
      const none = ConfigProvider.fromMap(new Map())
      const error = yield* Effect.flip(Effect.withConfigProvider(Effect.provide(life, layer), none))
      expect(String(error)).toContain("TTL")
    })
  )
})

describe("a ttl that set is given", () => {
  it.effect.each([
    [0, "ttl is 0"],
    [-1, "ttl is -1"],
    [-5n, "ttl is -5"],
    [Number.NaN, "ttl is NaN"],
    ["0 seconds", 'ttl is "0 seconds"'],
    ["-1 seconds" as never, 'ttl is "-1 seconds"'],
    ["soon" as never, 'ttl is "soon"']
  ] as const)("is not %s: an error says what is allowed", ([ttl, what]) =>
    Effect.gen(function* () {
      const { message, reason } = yield* Effect.flip(Storage.set("k", 1, { ttl }))
      expect(reason).toBe("InvalidTtl")
      expect(message).toBe(
        `memory: set failed (InvalidTtl): ${what}; ` +
          "allowed: a duration above zero, or Infinity, for good"
      )
    }).pipe(Effect.provide(MemoryStorage.layer()))
  )
})

describe("metadata that are no object", () => {
  it.effect.each([[null], [[1]], ["secret"], [1]])("are refused: %o", ([metadata]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Storage.set("k", 1, { metadata: metadata as never }))
      expect(error.message).toBe("memory: set failed (InvalidValue): the metadata is no object")
      expect(yield* Storage.exists("k")).toBe(false)
    }).pipe(Effect.provide(MemoryStorage.layer()))
  )
})

describe("a value that JSON would change", () => {
  // As of 512 MB, which would take a test its time: JSON.stringify throws.
  it.effect("is refused where it is looked at without a fault, and then makes no text", () =>
    Effect.gen(function* () {
      let reads = 0
      const value = new Proxy(
        { a: 1 },
        {
          get: (target, key) => {
            if (key === "a" && ++reads > 1) throw new RangeError("secret")
            return Reflect.get(target, key)
          }
        }
      )
      const error = yield* Effect.flip(Storage.set("k", value))
      expect(error.message).toBe(
        "memory: set failed (InvalidValue): the value is too long for one text, or changes while " +
          "it is read. Remedy: cut it into several entries"
      )
    }).pipe(Effect.provide(MemoryStorage.layer()))
  )

  it.effect("is refused with its place and the remedy, and without itself", () =>
    Effect.gen(function* () {
      const value = { user: { token: "secret", since: new Date(0) } }
      const error = yield* Effect.flip(Storage.set("k", value))
      expect(error.message).toBe(
        "memory: set failed (InvalidValue): JSON would lose an instance of Date in the value, " +
          "at $.user.since. Remedy: Storage.view, with a schema that encodes it"
      )
      const metadata = { by: () => "me" }
      const other = yield* Effect.flip(Storage.set("k", 1, { metadata }))
      expect(other.detail).toContain("a function in the metadata, at $.by")
      expect(yield* Storage.keys()).toEqual([])
    }).pipe(Effect.provide(MemoryStorage.layer()))
  )
})

describe("a store", () => {
  it.effect("is asked for distinct keys, and for none not at all", () =>
    Effect.gen(function* () {
      const asked: Array<ReadonlyArray<string>> = []
      const noting = <A>(keys: ReadonlyArray<string>, then: A): A => {
        asked.push(keys)
        return then
      }
      const layer = storageWith((inner) => ({
        getMany: (keys) => noting(keys, inner.getMany(keys)),
        setMany: (entries) =>
          noting(
            entries.map(({ key }) => key),
            inner.setMany(entries)
          ),
        deleteMany: (keys) => noting(keys, inner.deleteMany(keys))
      }))
      yield* Effect.gen(function* () {
        yield* Storage.setMany([])
        expect(yield* Storage.getMany([])).toEqual([])
        expect(yield* Storage.deleteMany([])).toBe(0)
        expect(asked).toEqual([])
        yield* Storage.setMany([
          ["b", 1],
          ["a", 2],
          ["b", 3]
        ])
        yield* Storage.getMany(["b", "a", "b", "c"])
        yield* Storage.deleteMany(["a", "a"])
      }).pipe(Effect.provide(layer))
      expect(asked).toEqual([["b", "a"], ["b", "a", "c"], ["a"]])
    })
  )

  it.effect("is given texts, whole numbers and a time to live", () =>
    Effect.gen(function* () {
      const written: Array<Writing> = []
      const layer = storageWith(() => ({
        setMany: (entries) => Effect.sync(() => void written.push(...entries))
      }))
      yield* Effect.gen(function* () {
        yield* Storage.set("a", undefined)
        yield* Storage.set("b", "", { ttl: 1.5, metadata: { c: null } })
      }).pipe(Effect.provide(layer))
      expect(written).toEqual([
        { key: "a", value: "", metadata: "{}", version: 0, ttl: Infinity },
        { key: "b", value: '""', metadata: '{"c":null}', version: 0, ttl: 2 }
      ])
    })
  )

  it.effect("may find more than it is asked for: the pattern decides", () =>
    Effect.gen(function* () {
      const searches: Array<Search> = []
      const all = ["user:1", "user:2", "user:10", "user", "users:1", "x", "user:1"].map((key) =>
        stored(key)
      )
      const finding = (search: Search) => {
        searches.push(search)
        return Stream.fromIterable(all)
      }
      const layer = storageWith(() => ({
        entries: finding,
        keys: (search) => Stream.map(finding(search), ({ key }) => key)
      }))
      yield* Effect.gen(function* () {
        expect(yield* Storage.keys("user:?")).toEqual(["user:1", "user:2"])
        const streamed = yield* Stream.runCollect(Storage.keysStream("user:?"))
        expect(Chunk.toArray(streamed)).toEqual(["user:1", "user:2", "user:1"])
        const entries = yield* Stream.runCollect(Storage.entries("*:1*"))
        const keys = Chunk.toArray(entries).map(({ key }) => key)
        expect(keys).toEqual(["user:1", "user:10", "users:1", "user:1"])
        expect((yield* Storage.keys()).length).toBe(6)
        expect((yield* Stream.runCollect(Storage.keysStream())).length).toBe(7)
        expect((yield* Stream.runCollect(Storage.entries())).length).toBe(7)
      }).pipe(Effect.provide(layer))
      expect(searches.slice(0, 3)).toEqual([
        { start: "user:", pattern: "user:?" },
        { start: "user:", pattern: "user:?" },
        { start: "", pattern: "*:1*" }
      ])
    })
  )

  it.effect("that is down is no secret: every operation says so", () =>
    Effect.gen(function* () {
      const fails = () => Effect.fail(down)
      const layer = storageWith(() => ({
        getMany: fails,
        setMany: fails,
        deleteMany: fails,
        exists: fails,
        keys: () => Stream.fail(down),
        entries: () => Stream.fail(down),
        cleanup: fails
      }))
      const operations = [
        Storage.get("k"),
        Storage.getEntry("k"),
        Storage.getMany(["k"]),
        Storage.set("k", 1),
        Storage.setMany([["k", 1]]),
        Storage.delete("k"),
        Storage.deleteMany(["k"]),
        Storage.exists("k"),
        Storage.keys(),
        Stream.runCollect(Storage.keysStream()),
        Stream.runCollect(Storage.entries()),
        Storage.cleanup()
      ]
      for (const operation of operations) {
        const failed = Effect.provide(Effect.asVoid(operation), layer)
        expect(yield* Effect.flip(failed)).toBe(down)
      }
    })
  )
})

describe("what is handed over", () => {
  it.effect("is read once: an iterator serves an effect that runs again", () =>
    Effect.gen(function* () {
      let attempts = 0
      const layer = storageWith((inner) => ({
        setMany: (entries) =>
          Effect.suspend(() => (++attempts === 1 ? Effect.fail(down) : inner.setMany(entries)))
      }))
      yield* Effect.gen(function* () {
        const entries = new Map([
          ["a", 1],
          ["b", 2]
        ])
        yield* Effect.retry(Storage.setMany(entries.entries()), { times: 1 })
        expect(attempts).toBe(2)
        expect(yield* Storage.keys()).toEqual(["a", "b"])
        const getMany = Storage.getMany(entries.keys())
        expect(yield* Effect.zip(getMany, getMany)).toEqual([
          [Option.some(1), Option.some(2)],
          [Option.some(1), Option.some(2)]
        ])
        const deleteMany = Storage.deleteMany(entries.keys())
        expect(yield* deleteMany).toBe(2)
        yield* Storage.set("a", 1)
        expect(yield* deleteMany).toBe(1)
      }).pipe(Effect.provide(layer))
    })
  )
})

describe("what another hand has stored", () => {
  const reading = (entry: ReturnType<typeof stored>) =>
    storageWith(() => ({
      getMany: () => Effect.succeed([entry]),
      entries: () => Stream.make(entry)
    }))

  it.effect("is Undecodable where its value is no JSON", () =>
    Effect.gen(function* () {
      const layer = reading(stored("k\n".repeat(200), { value: "{secret" }))
      const reads = [
        Effect.asVoid(Storage.get("k")),
        Effect.asVoid(Storage.getEntry("k")),
        Effect.asVoid(Storage.getMany(["k"])),
        Stream.runDrain(Storage.entries())
      ]
      for (const read of reads) {
        const error = yield* Effect.flip(Effect.provide(read, layer))
        expect(error.reason).toBe("Undecodable")
        expect(error.message).toBe(
          `memory: get failed (Undecodable): the entry at ${JSON.stringify("k\n".repeat(50))} ` +
            "cannot be read: its value is no JSON. It is left as it is. " +
            "Remedy: read it as what it is, or delete it"
        )
      }
    })
  )

  it.effect.each([
    ["{", "its metadata is no JSON"],
    ["", "its metadata is no JSON"],
    ["null", "its metadata is no object"],
    ["[]", "its metadata is no object"],
    ["1", "its metadata is no object"]
  ] as const)(
    "is Undecodable where its metadata is %s, and its value is to be had",
    ([text, why]) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Storage.getEntry("k"))
        expect(error.reason).toBe("Undecodable")
        expect(error.detail).toContain(why)
        expect(yield* Storage.get("k")).toEqual(Option.some(1))
      }).pipe(Effect.provide(reading(stored("k", { metadata: text }))))
  )

  it.effect.each([
    { createdAt: 9_007_199_254_740_991 },
    { expiresAt: 9_007_199_254_740_991 },
    { expiresAt: Number.NaN }
  ])("is Undecodable where its times are %o, and its value is to be had", (times) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Storage.getEntry("k"))
      expect(error.reason).toBe("Undecodable")
      expect(error.detail).toContain("its times are none that a date can tell")
      expect(yield* Storage.get("k")).toEqual(Option.some(1))
    }).pipe(Effect.provide(reading(stored("k", times))))
  )

  it.effect("is an entry with its times", () =>
    Effect.gen(function* () {
      const entry = Option.getOrThrow(yield* Storage.getEntry("k"))
      expect(entry).toBeInstanceOf(StorageEntry)
      expect(entry.createdAt.epochMillis).toBe(1_000)
      expect(Option.map(entry.expiresAt, (it) => it.epochMillis)).toEqual(Option.some(2_000))
    }).pipe(Effect.provide(reading(stored("k", { expiresAt: 2_000 }))))
  )
})
