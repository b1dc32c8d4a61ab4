/** Finding entries by what their keys look like. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Storage } from "../../../Storage.js"
import { expectEqual, expectThat } from "../expectation.js"
import { range, sorted, type StorageCase } from "./subject.js"

const dialect = "a pattern finds the same keys in every store: those that Redis's dialect says"
const inert = "what a store's own queries know as patterns or statements is text"
const whole = "what is there all along is found, however much else comes and goes"

const names = [
  ..."!-Aabcé鍵😀",
  "",
  "AB",
  "ab",
  "abc",
  "a%b",
  "a'b",
  "a*b",
  "a?b",
  "a[b",
  "a\\b",
  "a_b",
  "axb",
  "e\u0301",
  "\ufffe"
]

const within = (...letters: ReadonlyArray<string>) => letters.map((it) => `a${it}b`)

const found: Readonly<Record<string, ReadonlyArray<string>>> = {
  "*": names,
  "**": names,
  "": [""],
  "?": [..."!-Aabcé鍵😀", "\ufffe"],
  "??": ["AB", "ab", "e\u0301"],
  "?*?": names.filter((it) => Array.from(it).length > 1),
  "[ab]": ["a", "b"],
  "[^a]": [..."!-Abcé鍵😀", "\ufffe"],
  "[!a]": ["!", "a"],
  "[a-c]": ["a", "b", "c"],
  "[c-a]": ["a", "b", "c"],
  "[^a-c]": [..."!-Aé鍵😀", "\ufffe"],
  "[]": [],
  "[^]": [..."!-Aabcé鍵😀", "\ufffe"],
  "[": [],
  "[ab": ["a", "b"],
  "[a-": ["-", "a"],
  "a*": ["a", "ab", "abc", ...within("%", "'", "*", "?", "[", "\\", "_", "x")],
  "A*": ["A", "AB"],
  "[aA]?": ["AB", "ab"],
  "*b": ["ab", "b", ...within("%", "'", "*", "?", "[", "\\", "_", "x")],
  "*b*": ["ab", "abc", "b", ...within("%", "'", "*", "?", "[", "\\", "_", "x")],
  "a?b": within("%", "'", "*", "?", "[", "\\", "_", "x"),
  "a[^x]b": within("%", "'", "*", "?", "[", "\\", "_"),
  "a[*?]b": within("*", "?"),
  "a\\*b": within("*"),
  "a\\?b": within("?"),
  "a\\[b": within("["),
  "a\\\\b": within("\\"),
  "a[\\\\]b": within("\\"),
  "\\a\\b": ["ab"],
  "a\\": [],
  "a%b": within("%"),
  a_b: within("_"),
  "%": [],
  _: [],
  "a%": [],
  "%b": [],
  "a'b": within("'"),
  é: ["é"],
  "é*": ["é"],
  "e\u0301": ["e\u0301"],
  "e*": ["e\u0301"],
  "[é鍵]": ["é", "鍵"],
  "[α-龥]": ["鍵"],
  "[😀-😃]": ["😀"],
  "😀": ["😀"],
  "\ud83d*": [],
  É: [],
  nothing: []
}

/** More than any page. */
const many = 2_500

const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), Chunk.toArray)

export const patterns: ReadonlyArray<StorageCase> = [
  {
    name: "a pattern finds what it matches, and nothing else",
    rule: dialect,
    run: ({ key, start, there }) =>
      Effect.gen(function* () {
        yield* Storage.setMany(names.map((name) => [key(name), name] as const))
        for (const [pattern, expected] of Object.entries(found)) {
          const keys = sorted(expected.map(key))
          const named = `of ${JSON.stringify(pattern)}`
          yield* expectEqual(`keys ${named}`, yield* Storage.keys(start + pattern), keys)
          const streamed = yield* there(collect(Storage.keysStream(start + pattern)))
          yield* expectEqual(`keysStream ${named}`, sorted(new Set(streamed)), keys)
          const entries = yield* collect(Storage.entries(start + pattern))
          const distinct = new Map(entries.map((it) => [it.key, it.value]))
          yield* expectEqual(`entries ${named}`, sorted(distinct.keys()), keys)
          const wrong = [...distinct].filter(([of, value]) => of !== start + String(value))
          yield* expectEqual(`entries with a value of another ${named}`, wrong, [])
        }
      })
  },
  {
    name: "a pattern need not begin with a letter",
    rule: dialect,
    run: ({ key, start }) =>
      Effect.gen(function* () {
        yield* Storage.setMany(["a", "ab", "b"].map((name) => [key(name), name] as const))
        const rest = start.slice(1)
        const both = [key("a"), key("ab")]
        yield* expectEqual("of a star", yield* Storage.keys(`*${rest}a*`), both)
        yield* expectEqual("of any letter", yield* Storage.keys(`?${rest}a*`), both)
        yield* expectEqual("of a class", yield* Storage.keys(`[a-d]${rest}a*`), both)
        yield* expectEqual("of its literal beginning", yield* Storage.keys(`\\c${rest}a*`), both)
        yield* expectEqual("of another class", yield* Storage.keys(`[^c]${rest}a*`), [])
        const all = yield* Storage.keys()
        const own = all.filter((of) => of.startsWith(start))
        yield* expectEqual("all keys, of this test", own, [...both, key("b")])
      })
  },
  {
    name: "keys come sorted by code unit",
    rule: "keys are distinct, and sorted the same in every store",
    run: ({ key, start }) =>
      Effect.gen(function* () {
        const inOrder = ["", " ", "B", "a", "a ", "a0", "b", "z", "é", "鍵", "😀", "\uffff"]
        yield* Storage.setMany(inOrder.toReversed().map((name) => [key(name), 1] as const))
        yield* expectEqual("keys", yield* Storage.keys(`${start}*`), inOrder.map(key))
      })
  },
  {
    name: "statements in patterns do nothing",
    rule: inert,
    run: ({ key, start }) =>
      Effect.gen(function* () {
        yield* Storage.set(key("there"), 1)
        const hostile = [
          "' OR '1'='1",
          "'; DROP TABLE larder_storage; --",
          "\\'; DELETE FROM larder_storage; --",
          "%' ESCAPE '%",
          "\\",
          "\0",
          "\r\nFLUSHALL\r\n",
          "\ud83d",
          "]",
          "{there}"
        ]
        for (const pattern of hostile) {
          const named = `keys of ${JSON.stringify(pattern)}`
          yield* expectEqual(named, yield* Storage.keys(start + pattern), [])
          yield* expectEqual(
            `${named}, after a star`,
            yield* Storage.keys(`${start}*${pattern}`),
            []
          )
        }
        yield* expectEqual("what is there", yield* Storage.keys(`${start}*`), [key("there")])
      })
  },
  {
    name: "thousands of keys come in pages, none missing",
    rule: whole,
    run: ({ key, start }) =>
      Effect.gen(function* () {
        const all = range(many).map(key)
        yield* Storage.setMany(all.map((of, index) => [of, index] as const))
        const inOrder = sorted(all)
        yield* expectEqual("keys", yield* Storage.keys(`${start}*`), inOrder)
        const streamed = yield* collect(Storage.keysStream(`${start}*`))
        yield* expectEqual("keysStream", sorted(new Set(streamed)), inOrder)
        const entries = yield* collect(Storage.entries(`${start}*`))
        const values = new Map(entries.map((it) => [it.key, it.value]))
        yield* expectEqual(
          "entries",
          all.filter((of, index) => values.get(of) === index),
          all
        )
        yield* expectEqual("of one thousand", (yield* Storage.keys(`${start}1???`)).length, 1_000)
        const first = yield* collect(Stream.take(Storage.keysStream(`${start}*`), 3))
        yield* expectEqual("how many are taken of all", first.length, 3)
      })
  },
  {
    name: "what is there all along comes, though others write meanwhile",
    rule: whole,
    run: ({ key, start, there }) =>
      Effect.gen(function* () {
        const staying = range(1_200).map((index) => key(`${index}-stays`))
        const leaving = range(300).map((index) => key(`${index * 4}-leaves`))
        // Four who stay, and one who leaves: whatever the order of the store, they are mixed.
        const all = leaving.flatMap((of, index) => [...staying.slice(4 * index, 4 * index + 4), of])
        yield* Storage.setMany(all.map((of) => [of, 1] as const))
        let seen = 0
        const write = Effect.suspend(() => {
          const batch = Math.floor(seen / 100)
          const added = range(5).map((index) => [key(`${batch * 97 + index}-new`), 1] as const)
          return Effect.all([
            Storage.setMany(added),
            Storage.deleteMany(leaving.slice(batch * 20, batch * 20 + 20)),
            Storage.set(staying[batch]!, 2)
          ])
        })
        const streamed = yield* Storage.keysStream(`${start}*`).pipe(
          Stream.tap(() => (++seen % 100 === 0 ? there(write) : Effect.void)),
          Stream.runCollect
        )
        const met = new Set(streamed)
        yield* expectEqual(
          "missed",
          staying.filter((of) => !met.has(of)),
          []
        )
        const unknown = [...met].filter((of) => !/-(stays|leaves|new)$/.test(of))
        yield* expectEqual("what nobody has set", unknown, [])
        yield* expectThat("the times others wrote", seen >= 1_200, "twelve or more", seen / 100)
        const value = yield* Storage.get(staying[1]!)
        yield* expectEqual("what was set meanwhile", value, Option.some(2))
      })
  }
]
