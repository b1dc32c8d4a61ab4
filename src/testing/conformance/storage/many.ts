/** Several entries at once, and several who write at once. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Storage } from "../../../Storage.js"
import { expectEqual, expectThat } from "../expectation.js"
import { entryAt, expectGet, lifeOf, range, type StorageCase } from "./subject.js"

const inOrder = "getMany gives an answer a key, in order: for a key twice, the answer twice"
const allOrNone = "setMany sets all or none; of several values for one key, the last one"
const count = "deleteMany removes what is there, each entry once, and says how many that were"
const nothingLost = "whoever was told that it is set finds it, whoever else writes meanwhile"

const unbounded = { concurrency: "unbounded" } as const

export const many: ReadonlyArray<StorageCase> = [
  {
    name: "getMany answers in order, for missing keys and for keys that come twice",
    rule: inOrder,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Storage.set(key("a"), 1)
        yield* Storage.set(key("b"), null)
        yield* Storage.set(key("c"), undefined)
        const asked = ["b", "x", "a", "b", "c", "a", "x"].map(key)
        yield* expectEqual("getMany", yield* Storage.getMany(asked), [
          Option.some(null),
          Option.none(),
          Option.some(1),
          Option.some(null),
          Option.some(undefined),
          Option.some(1),
          Option.none()
        ])
        const set = new Set([key("a"), key("x")])
        const found = [Option.some(1), Option.none()]
        yield* expectEqual("getMany of a set", yield* Storage.getMany(set), found)
      })
  },
  {
    name: "setMany sets the last of several values for a key, with ttl and metadata for all",
    rule: allOrNone,
    run: ({ key, ttl }) =>
      Effect.gen(function* () {
        yield* Storage.set(key("b"), "old", { ttl: "1 minute", metadata: { old: true } })
        yield* Storage.setMany(
          [
            [key("a"), 1],
            [key("b"), 2],
            [key("a"), 3]
          ],
          { ttl: "1 hour", metadata: { by: "all" } }
        )
        for (const [name, value] of [
          ["a", 3],
          ["b", 2]
        ] as const) {
          const entry = yield* entryAt(key(name))
          yield* expectEqual(`the value of ${name}`, entry.value, value)
          yield* expectEqual(`the metadata of ${name}`, entry.metadata, { by: "all" })
          yield* expectEqual(`the life of ${name}`, lifeOf(entry), 3_600_000)
        }
        yield* Storage.setMany(new Map([[key("a"), 4]]))
        const entry = yield* entryAt(key("a"))
        yield* expectEqual("the metadata, set without options", entry.metadata, {})
        yield* expectEqual("the life, set without options", lifeOf(entry), ttl)
      })
  },
  {
    name: "deleteMany counts what was there",
    rule: count,
    run: ({ key, start }) =>
      Effect.gen(function* () {
        yield* Storage.setMany(["a", "b", "c"].map((name) => [key(name), name] as const))
        const some = ["a", "x", "b", "a", "y"].map(key)
        yield* expectEqual("deleteMany", yield* Storage.deleteMany(some), 2)
        yield* expectEqual("once more", yield* Storage.deleteMany(some), 0)
        yield* expectEqual("what is left", yield* Storage.keys(`${start}*`), [key("c")])
      })
  },
  {
    name: "nothing asked for is nothing done",
    rule: "an empty list is answered with an empty list",
    run: ({ start }) =>
      Effect.gen(function* () {
        yield* expectEqual("getMany", yield* Storage.getMany([]), [])
        yield* expectEqual("setMany", yield* Storage.setMany([]), undefined)
        yield* expectEqual("deleteMany", yield* Storage.deleteMany([]), 0)
        yield* expectEqual("keys", yield* Storage.keys(`${start}*`), [])
      })
  },
  {
    name: "thousands are set, read and deleted at once",
    rule: "there may be more of them than a statement has parameters",
    run: ({ key }) =>
      Effect.gen(function* () {
        const all = range(5_000).map(key)
        yield* Storage.setMany(all.map((of, index) => [of, index] as const))
        const beyond = [...all, ...range(61_000).map((index) => key(`x${index}`))]
        const found = yield* Storage.getMany(beyond)
        const wrong = found.filter((it, index) =>
          index < all.length ? Option.getOrNull(it) !== index : Option.isSome(it)
        )
        yield* expectEqual("wrong answers", wrong.length, 0)
        yield* expectEqual("answers", found.length, beyond.length)
        yield* expectEqual("deleteMany", yield* Storage.deleteMany(beyond), all.length)
        yield* expectGet(key(4_999), Option.none(), "the last of them")
      })
  },
  {
    name: "of 200 who write at once none is lost",
    rule: nothingLost,
    run: ({ key, start, there }) =>
      Effect.gen(function* () {
        yield* Effect.forEach(
          range(200),
          (index) => {
            const set = Storage.set(key(index), { index }, { metadata: { index } })
            return index % 2 === 0 ? set : there(set)
          },
          unbounded
        )
        const found = yield* Storage.getMany(range(200).map(key))
        const expected = range(200).map((index) => Option.some({ index }))
        yield* expectEqual("getMany", found, expected)
        yield* expectEqual("how many keys", (yield* Storage.keys(`${start}*`)).length, 200)
      })
  },
  {
    name: "of many who write one key at once one is last, in value, metadata and ttl",
    rule: nothingLost,
    run: ({ key, there }) =>
      Effect.gen(function* () {
        yield* Effect.forEach(
          range(100),
          (index) => {
            const options = { metadata: { index }, ttl: 60_000 + index }
            const set = Storage.set(key(), index, options)
            return index % 2 === 0 ? set : there(set)
          },
          unbounded
        )
        const entry = yield* entryAt(key())
        const index = Number(entry.value)
        yield* expectThat("the value", range(100).includes(index), "one of those", entry.value)
        yield* expectEqual("the metadata", entry.metadata, { index })
        yield* expectEqual("the life", lifeOf(entry), 60_000 + index)
      })
  },
  {
    name: "of many who set the same keys at once, in any order, one is last in all of them",
    rule: allOrNone,
    run: ({ key, there }) =>
      Effect.gen(function* () {
        // Of one slot, where a store has slots: there, all or none is promised for each.
        const keys = range(30).map((index) => key(`{together}${index}`))
        yield* Effect.forEach(
          range(20),
          (writer) => {
            const order = writer % 4 < 2 ? keys : keys.toReversed()
            const set = Storage.setMany(order.map((of) => [of, writer] as const))
            return writer % 2 === 0 ? set : there(set)
          },
          unbounded
        )
        const found = yield* Storage.getMany(keys)
        const [first] = found
        yield* expectThat("the first", Option.isSome(first!), "one of the values", first)
        const others = found.filter((it) => Option.getOrNull(it) !== Option.getOrNull(first!))
        yield* expectEqual("what is of another", others.length, 0)
      })
  },
  {
    name: "of many who delete the same keys at once, in any order, each entry counts for one",
    rule: count,
    run: ({ key, there }) =>
      Effect.gen(function* () {
        const keys = range(50).map(key)
        yield* Storage.setMany(keys.map((of) => [of, 1] as const))
        const counts = yield* Effect.forEach(
          range(20),
          (index) => {
            const deleteMany = Storage.deleteMany(index % 4 < 2 ? keys : keys.toReversed())
            return index % 2 === 0 ? deleteMany : there(deleteMany)
          },
          unbounded
        )
        const sum = counts.reduce((one, other) => one + other, 0)
        yield* expectEqual("the sum of all counts", sum, keys.length)
      })
  }
]
