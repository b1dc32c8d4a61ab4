/** Regions: typed, versioned, and apart from each other. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache } from "../../../Cache.js"
import * as CacheRegion from "../../../CacheRegion.js"
import { expectEqual, expectThat } from "../expectation.js"
import { oddKeys } from "../oddKeys.js"
import { type CacheCase, counting, expectGet, together, unexpected } from "./subject.js"

const apart = "entries of a region are at <name>:<key>, and apart from those of any other region"
const versioned = "an entry of another version is a miss, and is replaced"
const checked = "what a schema does not accept is a miss, counted, and is replaced; never an error"
const encoded = "a schema encodes what is stored, and decodes what is read"
const failing = "with an error schema, a failure of that kind is an entry for errorTtl"

const Row = Schema.Struct({ id: Schema.Number, since: Schema.Date })
const row = { id: 1, since: new Date(86_400_000) }

class Missing extends Schema.TaggedError<Missing>("Missing")("Missing", { id: Schema.Number }) {}

const text = (name: string) => CacheRegion.make({ name, value: Schema.String })

export const regions: ReadonlyArray<CacheCase> = [
  {
    name: "regions are apart, whatever their names and keys",
    rule: apart,
    run: ({ region }) =>
      Effect.gen(function* () {
        const pairs = [
          [text(region("a")), "b:c"],
          [text(region("a:b")), "c"],
          [text(region("a%3Ab")), "c"],
          [text(region("a")), "c"],
          [text(region("ab")), "c"],
          [text(region("a*")), "c"]
        ] as const
        for (const [of, key] of pairs) yield* of.set(key, `${of.name}:${key}`)
        for (const [of, key] of pairs) {
          const expected = Option.some(`${of.name}:${key}`)
          yield* expectEqual(`region ${of.name}, key ${key}`, yield* of.get(key), expected)
        }
        yield* pairs[0][0].set("42", "plain")
        yield* expectGet(`${region("a")}:42`, Option.some("plain"), "the same as a plain key")
      })
  },
  {
    name: "any string is a key of a region",
    rule: apart,
    run: ({ region }) =>
      Effect.gen(function* () {
        const of = text(region())
        const keys = Object.entries(oddKeys)
        yield* Effect.forEach(keys, ([name, key]) => of.set(key, name), { concurrency: 8 })
        for (const [name, key] of keys) {
          yield* expectEqual(name, yield* of.get(key), Option.some(name))
        }
        for (const [name, key] of keys) {
          yield* expectEqual(`invalidate, ${name}`, yield* of.invalidate(key), true)
        }
      })
  },
  {
    name: "what is stored comes back through the schema",
    rule: encoded,
    run: ({ region }) =>
      Effect.gen(function* () {
        const rows = CacheRegion.make({ name: region(), key: (id: number) => `${id}`, value: Row })
        const created = yield* rows.getOrCreate(1, Effect.succeed(row))
        yield* expectEqual("what the caller is given", created, row)
        yield* expectEqual("what is read", yield* rows.get(1), Option.some(row))
        yield* rows.set(2, row)
        yield* expectEqual("what was set", yield* rows.getOrCreate(2, unexpected()), row)
      })
  },
  {
    name: "what a schema does not accept is a miss, and is replaced",
    rule: checked,
    run: ({ region }) =>
      Effect.gen(function* () {
        const name = region()
        const rows = CacheRegion.make({ name, key: (id: number) => `${id}`, value: Row })
        yield* Cache.set(`${name}:1`, { id: "one" })
        yield* Cache.set(`${name}:2`, "no row at all")
        yield* expectEqual("get", yield* rows.get(1), Option.none())
        for (const id of [1, 2]) {
          const given = yield* rows.getOrCreate(id, Effect.succeed(row))
          yield* expectEqual("getOrCreate", given, row)
          yield* expectEqual("get, after it", yield* rows.get(id), Option.some(row))
        }
        const { decodeErrors } = yield* Cache.counters
        yield* expectThat("decodeErrors", decodeErrors >= 2, "2 or more", decodeErrors)
      })
  },
  {
    name: "500 fibers on what a schema does not accept: one run",
    rule: checked,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Cache.set(key(), "not a number")
        const { create, runs } = counting(() => Effect.succeed(1), 50)
        const lookup = Cache.getOrCreate(key(), create, { schema: Schema.Number })
        const given = yield* together(500, lookup)
        yield* expectEqual(
          "what they were given",
          given,
          given.map(() => 1)
        )
        yield* expectEqual("runs", runs(), 1)
      })
  },
  {
    name: "an entry of another version is a miss, and is replaced",
    rule: versioned,
    run: ({ region }) =>
      Effect.gen(function* () {
        const name = region()
        const [first, second] = [1, 2].map((version) =>
          CacheRegion.make({ name, version, value: Schema.String })
        ) as [CacheRegion.CacheRegion<string, string>, CacheRegion.CacheRegion<string, string>]
        yield* first.set("key", "old")
        yield* expectEqual("get under another version", yield* second.get("key"), Option.none())
        const given = yield* second.getOrCreate("key", Effect.succeed("new"))
        yield* expectEqual("getOrCreate under another version", given, "new")
        yield* expectEqual("get under that", yield* second.get("key"), Option.some("new"))
        yield* expectEqual("get under the first", yield* first.get("key"), Option.none())
        const other = yield* first.getOrCreate("key", Effect.succeed("back"))
        yield* expectEqual("getOrCreate under the first", other, "back")
      })
  },
  {
    name: "a failure of the region's kind is an entry, any other is not",
    rule: failing,
    run: ({ region, shortTtl }) =>
      Effect.gen(function* () {
        const shape = { key: (id: number) => `${id}`, value: Row, error: Missing }
        const rows = CacheRegion.make({ ...shape, name: region(), errorTtl: "1 minute" })
        const missing = new Missing({ id: 1 })
        const fails = counting<typeof row, Missing>(() => Effect.fail(missing), 0)
        const lookup = Effect.either(rows.getOrCreate(1, fails.create))
        yield* expectEqual("the first lookup", yield* lookup, Either.left(missing))
        yield* expectEqual("the second", yield* lookup, Either.left(missing))
        yield* expectEqual("get of a cached failure", yield* rows.get(1), Option.none())
        yield* expectEqual("runs", fails.runs(), 1)
        const other = counting<typeof row, string>(() => Effect.fail("broken"), 0)
        yield* Effect.either(rows.getOrCreate(2, other.create))
        yield* Effect.either(rows.getOrCreate(2, other.create))
        yield* expectEqual("runs with another failure", other.runs(), 2)
        const brief = CacheRegion.make({ ...shape, name: region("brief"), errorTtl: shortTtl })
        yield* Effect.either(brief.getOrCreate(1, Effect.fail(missing)))
        yield* Effect.sleep(shortTtl + 50)
        const found = yield* brief.getOrCreate(1, Effect.succeed(row))
        yield* expectEqual("when errorTtl is over", found, row)
      })
  }
]

export const clearing: ReadonlyArray<CacheCase> = [
  {
    name: "clear of a region spares all others",
    rule: apart,
    run: ({ key, region }) =>
      Effect.gen(function* () {
        const names = ["user", "user2", "use", "u*er", "user:1"].map(region)
        const all = names.map(text)
        for (const each of all) yield* each.set("1", each.name)
        yield* Cache.set(key(), "plain")
        yield* all[3]!.clear
        yield* all[0]!.clear
        const left = yield* Effect.filter(all, (each) => Effect.map(each.get("1"), Option.isSome))
        yield* expectEqual(
          "regions that still have their entry",
          left.map((each) => each.name),
          [names[1]!, names[2]!, names[4]!]
        )
        yield* expectGet(key(), Option.some("plain"), "a key outside")
      })
  }
]
