/** What is set is there, as it was, until it is set again or deleted. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Storage } from "../../../Storage.js"
import { expectEqual, expectThat } from "../expectation.js"
import { entryAt, expectFailure, expectGet, lifeOf, type StorageCase } from "./subject.js"

const stays = "what is set is there, to every process, until it is set again, deleted or expires"
const anyValue =
  "null, undefined, empty text, 0 and false are values; Option.none is a missing entry"
const inert = "keys of values and metadata are data, whatever they are the names of"
const refused = "what JSON would change or lose is InvalidValue, and nothing is written"
const replaced = "set replaces value, metadata, ttl and time of creation"

const megabyte = 1_048_576

const anything: Readonly<Record<string, unknown>> = {
  null: null,
  undefined: undefined,
  zero: 0,
  false: false,
  true: true,
  "an empty text": "",
  "a text that is JSON": '{"a":1}',
  "an empty array": [],
  "an empty object": {},
  "a large number": Number.MAX_SAFE_INTEGER,
  "a small number": 5e-324,
  unicode: "ключ 🔑 鍵 e\u0301 \u00e9 \u2028 \0 \ud83d",
  quotes: "' \" ` \\ '' -- ; %s $1 ?",
  "something nested": { a: [{ b: null }, [[]], "c"], d: { e: { f: false, "": 0 } } },
  "a megabyte": "v".repeat(megabyte),
  "a megabyte of four bytes each": "🔑".repeat(megabyte / 4)
}

/** Each is what JSON changes or loses, by itself or within. */
const unstorable: Readonly<Record<string, unknown>> = {
  "a function": () => 1,
  "a symbol": Symbol("s"),
  "a bigint": 1n,
  NaN: Number.NaN,
  Infinity,
  "minus zero": -0,
  "a date": new Date(0),
  "a map": new Map([[1, 2]]),
  bytes: new Uint8Array(2),
  "an instance": new (class Session {
    readonly id = 1
  })(),
  // oxlint-disable-next-line no-sparse-arrays
  "a hole": [1, , 2],
  "undefined, within": { a: [undefined] }
}

/** As `JSON.parse` makes them: own properties, and no prototype. */
const poisoned =
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},"toString":3}'
const poison = (): Record<string, unknown> => JSON.parse(poisoned) as Record<string, unknown>

export const values: ReadonlyArray<StorageCase> = [
  {
    name: "what is set is there, until it is deleted",
    rule: stays,
    run: ({ key, there }) =>
      Effect.gen(function* () {
        yield* expectGet(key(), Option.none(), "get of nothing")
        yield* expectEqual("getEntry of nothing", yield* Storage.getEntry(key()), Option.none())
        yield* expectEqual("exists, of nothing", yield* Storage.exists(key()), false)
        yield* expectEqual("delete of nothing", yield* Storage.delete(key()), false)
        yield* Storage.set(key(), { a: 1 })
        yield* expectGet(key(), Option.some({ a: 1 }))
        yield* there(expectGet(key(), Option.some({ a: 1 }), "get in another process"))
        yield* expectEqual("exists", yield* there(Storage.exists(key())), true)
        yield* expectEqual("delete", yield* there(Storage.delete(key())), true)
        yield* expectGet(key(), Option.none(), "get, after delete")
        yield* expectEqual("exists, after delete", yield* Storage.exists(key()), false)
        yield* expectEqual("a second delete", yield* Storage.delete(key()), false)
      })
  },
  {
    name: "any JSON value comes back as it was, and so does undefined",
    rule: anyValue,
    run: ({ key }) =>
      Effect.forEach(Object.entries(anything), ([name, value]) =>
        Effect.gen(function* () {
          yield* Storage.set(key(name), value)
          yield* expectGet(key(name), Option.some(value), `get of ${name}`)
          yield* expectEqual(`exists, of ${name}`, yield* Storage.exists(key(name)), true)
          const entry = yield* entryAt(key(name))
          yield* expectEqual(`the value of the entry of ${name}`, entry.value, value)
        })
      )
  },
  {
    name: "metadata come back with the entry, and there are none unless they were given",
    rule: stays,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Storage.set(key("none"), 1)
        yield* expectEqual("metadata", (yield* entryAt(key("none"))).metadata, {})
        const { undefined: _, ...metadata } = anything
        yield* Storage.set(key(), 1, { metadata })
        const entry = yield* entryAt(key())
        yield* expectEqual("the key", entry.key, key())
        for (const [name, value] of Object.entries(metadata)) {
          yield* expectEqual(`${name}, of the metadata`, entry.metadata[name], value)
        }
        yield* expectEqual("how many", Object.keys(entry.metadata).length, 15)
      })
  },
  {
    name: "what is called __proto__ or constructor is data, and pollutes nothing",
    rule: inert,
    run: ({ start, key }) =>
      Effect.gen(function* () {
        yield* Storage.set(key(), [poison()], { metadata: poison() })
        const { metadata, value } = yield* entryAt(key())
        yield* expectEqual("the value", JSON.stringify(value), `[${poisoned}]`)
        yield* expectEqual("the metadata", JSON.stringify(metadata), poisoned)
        const names = ["__proto__", "constructor", "toString"]
        for (const name of names) yield* Storage.set(start + name, name)
        const found = yield* Storage.getMany(names.map((name) => start + name))
        yield* expectEqual("getMany", found, names.map(Option.some))
        const { polluted } = {} as { readonly polluted?: unknown }
        yield* expectEqual("a property of every object", polluted, undefined)
      })
  },
  {
    name: "what JSON would lose is refused, and what is there stays",
    rule: refused,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Storage.set(key("old"), "old", { metadata: { old: true } })
        for (const [name, value] of Object.entries(unstorable)) {
          const metadata = { a: value }
          for (const at of [key(name), key("old")]) {
            yield* expectFailure(name, Storage.set(at, value), "InvalidValue")
            yield* expectFailure(`${name}, within`, Storage.set(at, [value]), "InvalidValue")
            const set = Storage.set(at, 1, { metadata })
            yield* expectFailure(`${name}, in metadata`, set, "InvalidValue")
          }
          const both = Storage.setMany([
            [key("good"), 1],
            [key(name), value]
          ])
          yield* expectFailure(`${name}, by setMany`, both, "InvalidValue")
          yield* expectEqual(`${name} exists`, yield* Storage.exists(key(name)), false)
        }
        yield* expectEqual("what came with them exists", yield* Storage.exists(key("good")), false)
        const old = yield* entryAt(key("old"))
        yield* expectEqual("what was there", old.value, "old")
        yield* expectEqual("its metadata", old.metadata, { old: true })
      })
  },
  {
    name: "a second set leaves nothing of the first",
    rule: replaced,
    run: ({ key, ttl }) =>
      Effect.gen(function* () {
        yield* Storage.set(key(), { a: 1, b: 2 }, { ttl: "1 hour", metadata: { a: 1, b: 2 } })
        const first = yield* entryAt(key())
        yield* Effect.sleep(20)
        yield* Storage.set(key(), { a: 3 }, { ttl: "2 hours", metadata: { c: 3 } })
        const second = yield* entryAt(key())
        yield* expectEqual("the value", second.value, { a: 3 })
        yield* expectEqual("the metadata", second.metadata, { c: 3 })
        yield* expectEqual("its life", lifeOf(second), 7_200_000)
        yield* expectThat(
          "the time of creation",
          DateTime.greaterThan(second.createdAt, first.createdAt),
          "later than the first one's",
          [first.createdAt, second.createdAt]
        )
        yield* Storage.set(key(), null)
        const third = yield* entryAt(key())
        yield* expectEqual("the value, set without options", third.value, null)
        yield* expectEqual("the metadata, set without options", third.metadata, {})
        yield* expectEqual("its life, set without options", lifeOf(third), ttl)
        yield* expectEqual("delete", yield* Storage.delete(key()), true)
        yield* expectGet(key(), Option.none(), "get, after delete")
      })
  }
]
