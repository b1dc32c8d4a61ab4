/** Any text is a key, and different texts are different entries. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Storage } from "../../../Storage.js"
import { expectEqual } from "../expectation.js"
import { oddKeys } from "../oddKeys.js"
import { expectGet, sorted, type StorageCase } from "./subject.js"

const anyKey =
  "any text is a key, and keys are compared byte by byte: different texts are different entries"
const inert = "a key is data: nothing in it is a statement, a pattern or a place"

/** Beside those that caches have stumbled over. */
const odd: Readonly<Record<string, string>> = {
  ...oddKeys,
  "lower case": "straße",
  "upper case": "STRASSE",
  "ss for ß": "strasse",
  "a title": "Straße",
  "a dotless i": "ı",
  "a dotted I": "İ",
  "a space at the end": "a ",
  "two spaces at the end": "a  ",
  "no space at the end": "a",
  "a tab at the end": "a\t",
  "a full-width letter": "ａ",
  "a ligature": "ﬁ",
  "its two letters": "fi",
  "NUL alone": "\0",
  "NUL at the end": "a\0",
  "NUL and more": "a\0c",
  "CR LF alone": "\r\n",
  "LF alone": "\n",
  "an emoji": "😀",
  "an emoji with a skin": "👍🏽",
  "a zero-width joiner": "a\u200d",
  "the first half of a pair": "\ud83d",
  "the second half of a pair": "\ude00",
  "the halves, the wrong way round": "\ude00\ud83d",
  "what stands for what is no character": "\ufffd",
  "the last character of the plane": "\uffff",
  "the last of all": "\u{10ffff}",
  "a name of an object": "toString"
}

const hostile = [
  "'; DROP TABLE larder_storage; --",
  "' OR '1'='1",
  '" OR ""="',
  "') ON CONFLICT DO NOTHING; --",
  "x'; DELETE FROM larder_storage WHERE '1'='1",
  "\\'; SELECT 1; #",
  "`larder`",
  "$1",
  "?",
  ":key",
  "@key",
  "%",
  "_",
  "a%",
  "a_",
  "*",
  "[a-z]*",
  "\\*",
  "{}",
  "${process.exit(1)}",
  "../../etc/passwd",
  "\r\nFLUSHALL\r\n"
]

/** Whole keys of lengths around what indexes and columns take, that differ in their last byte. */
const longNames = (start: string): ReadonlyArray<string> =>
  [255, 256, 511, 512, 513, 767, 768, 3_072, 5_000].flatMap((length) => {
    const beginning = "l".repeat(length - start.length - 1)
    return [`${beginning}a`, `${beginning}b`, `${beginning}A`, `${beginning} `]
  })

const expectApart = (names: ReadonlyArray<string>, start: string) =>
  Effect.gen(function* () {
    const all = names.map((name) => start + name)
    yield* Storage.setMany(all.map((key, index) => [key, index] as const))
    const numbers = all.map((_, index) => Option.some(index))
    const found = yield* Storage.getMany(all)
    for (const [index, name] of names.entries()) {
      yield* expectEqual(
        `the value at ${JSON.stringify(name.slice(0, 60))}`,
        found[index],
        numbers[index]
      )
    }
    yield* expectEqual("the keys", yield* Storage.keys(`${start}*`), sorted(all))
    for (const [index, key] of all.entries()) {
      const named = JSON.stringify(names[index]?.slice(0, 60))
      yield* expectGet(key, Option.some(index), `get of ${named}`)
      yield* expectEqual(`delete of ${named}`, yield* Storage.delete(key), true)
      yield* expectEqual(`exists, of ${named}, deleted`, yield* Storage.exists(key), false)
    }
  })

export const keys: ReadonlyArray<StorageCase> = [
  {
    name: "any text is a key, and no two texts the same",
    rule: anyKey,
    run: ({ start }) => expectApart(Object.values(odd), start)
  },
  {
    name: "long keys with a common beginning are kept apart",
    rule: anyKey,
    run: ({ start }) => expectApart(longNames(start), start)
  },
  {
    name: "a key in several bytes a letter may be as long",
    rule: anyKey,
    run: ({ start }) =>
      expectApart(
        [170, 171, 255, 256, 1_000].flatMap((length) => [
          `${"鍵".repeat(length)}a`,
          `${"鍵".repeat(length)}á`
        ]),
        start
      )
  },
  {
    name: "statements, patterns and paths in keys do nothing",
    rule: inert,
    run: ({ key, start }) =>
      Effect.gen(function* () {
        yield* Storage.set(`other-${start}`, "other")
        yield* Effect.addFinalizer(() => Effect.ignore(Storage.delete(`other-${start}`)))
        yield* Storage.set(key("bystander"), "there")
        const all = hostile.map(key)
        yield* Storage.setMany(all.map((of) => [of, of] as const))
        yield* expectEqual("getMany", yield* Storage.getMany(all), all.map(Option.some))
        for (const of of all)
          yield* expectEqual(`exists, of ${of}`, yield* Storage.exists(of), true)
        yield* expectEqual("deleteMany", yield* Storage.deleteMany(all), all.length)
        yield* expectGet(key("bystander"), Option.some("there"), "a bystander")
        yield* expectGet(`other-${start}`, Option.some("other"), "another")
      })
  },
  {
    name: "a key needs no beginning",
    rule: anyKey,
    run: ({ start }) =>
      Effect.gen(function* () {
        // Nothing is in front of these: where stores put something, it shows.
        const bare = ["", "\0", "\ud83d", " ", "__proto__", "%", "*", ":"]
        yield* Effect.addFinalizer(() => Effect.ignore(Storage.deleteMany(bare)))
        yield* Storage.setMany(bare.map((key) => [key, start + key] as const))
        for (const key of bare) {
          const named = JSON.stringify(key)
          yield* expectGet(key, Option.some(start + key), `get of ${named}`)
        }
        yield* expectEqual("keys, of the empty pattern", yield* Storage.keys(""), [""])
        yield* expectEqual("keys, of a star that is none", yield* Storage.keys("\\*"), ["*"])
        yield* expectEqual("deleteMany", yield* Storage.deleteMany(bare), bare.length)
      })
  }
]
