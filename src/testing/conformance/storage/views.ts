/** Typed parts of a storage: values of one schema, under keys with one prefix. */
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Storage } from "../../../Storage.js"
import { expectEqual } from "../expectation.js"
import { expectFailure, expectGet, lifeOf, sorted, type StorageCase } from "./subject.js"

const apart = "a view sees the entries under its prefix, and its users do not see the prefix"
const typed = "a view's values go through its schema, both ways"
const versions =
  "what an earlier version has written is read through the migrations, and left as it is"
const honest = "what a view cannot read is Undecodable: neither missing nor changed"

class Session extends Schema.Class<Session>("Session")({
  user: Schema.String,
  since: Schema.Date,
  seen: Schema.optional(Schema.DateTimeUtc)
}) {}

const ada = new Session({
  user: "ada",
  since: new Date(1_700_000_000_123),
  seen: DateTime.unsafeMake(1_800_000_000_001)
})
const bob = new Session({ user: "боб", since: new Date(0) })

const collect = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Effect.map(Stream.runCollect(stream), Chunk.toArray)

export const views: ReadonlyArray<StorageCase> = [
  {
    name: "a view does all that a storage does, under its prefix",
    rule: apart,
    run: ({ key, start }) =>
      Effect.gen(function* () {
        const view = Storage.view(Session, { prefix: key("session:") })
        yield* view.set("1", ada, { ttl: "1 hour", metadata: { a: 1 } })
        yield* expectEqual("get", yield* view.get("1"), Option.some(ada))
        const entry = Option.getOrThrow(yield* view.getEntry("1"))
        yield* expectEqual("the key of the entry", entry.key, "1")
        yield* expectEqual("its value", entry.value, ada)
        yield* expectEqual("its metadata", entry.metadata, { a: 1 })
        yield* expectEqual("its life", lifeOf(entry), 3_600_000)
        yield* view.setMany([
          ["2", bob],
          ["", ada]
        ])
        const found = yield* view.getMany(["2", "3", ""])
        const expected = [Option.some(bob), Option.none(), Option.some(ada)]
        yield* expectEqual("getMany", found, expected)
        yield* expectEqual("keys", yield* view.keys(), ["", "1", "2"])
        yield* expectEqual("keys of a pattern", yield* view.keys("[12]"), ["1", "2"])
        yield* expectEqual("keys of the empty pattern", yield* view.keys(""), [""])
        const streamed = yield* collect(view.keysStream("?"))
        yield* expectEqual("keysStream", sorted(new Set(streamed)), ["1", "2"])
        const entries = new Map((yield* collect(view.entries())).map((it) => [it.key, it.value]))
        yield* expectEqual("entries", entries.size, 3)
        yield* expectEqual("an entry among them", entries.get("2"), bob)
        const stored = ["session:", "session:1", "session:2"].map(key)
        yield* expectEqual("the keys in the storage", yield* Storage.keys(`${start}*`), stored)
        yield* expectEqual("exists", yield* view.exists("1"), true)
        yield* expectEqual("delete", yield* view.delete("1"), true)
        yield* expectEqual("exists, after delete", yield* view.exists("1"), false)
        yield* expectEqual("deleteMany", yield* view.deleteMany(["", "1", "2"]), 2)
      })
  },
  {
    name: "views with other prefixes are apart, though one be the beginning of another",
    rule: apart,
    run: ({ key }) =>
      Effect.gen(function* () {
        const prefixes = ["a", "a:", "A:", "b:", "á:"]
        const views = prefixes.map((prefix) => Storage.view(Schema.String, { prefix: key(prefix) }))
        yield* Effect.forEach(views, (view, index) => view.set("k", prefixes[index]!))
        for (const [index, view] of views.entries()) {
          const prefix = prefixes[index]!
          yield* expectEqual(`get in ${prefix}`, yield* view.get("k"), Option.some(prefix))
          const keys = prefix === "a" ? [":k", "k"] : ["k"]
          yield* expectEqual(`keys in ${prefix}`, yield* view.keys(), keys)
        }
        yield* expectEqual("delete in one", yield* views[1]!.delete("k"), true)
        yield* expectEqual("get in another", yield* views[2]!.get("k"), Option.some("A:"))
      })
  },
  {
    name: "what a prefix has of patterns is text",
    rule: apart,
    run: ({ key }) =>
      Effect.gen(function* () {
        const odd = ["*", "?", "[ab]", "[^a]", "\\", "%", "_", "a*b\\", "' OR 1=1 --"]
        yield* Storage.setMany(
          ["x:k", "a:k", "b:k", "c:k", "axb:k"].map((name) => [key(name), "plain"] as const)
        )
        for (const prefix of odd) {
          const view = Storage.view(Schema.String, { prefix: key(`${prefix}:`) })
          yield* view.set("k", prefix)
          yield* view.set("l*", prefix)
          yield* expectEqual(`keys in ${prefix}`, yield* view.keys(), ["k", "l*"])
          yield* expectEqual(`keys of a pattern in ${prefix}`, yield* view.keys("?"), ["k"])
          yield* expectEqual(`keys of a star in ${prefix}`, yield* view.keys("l\\*"), ["l*"])
          const entries = yield* collect(view.entries())
          const values = [...new Set(entries.map(({ value }) => value))]
          yield* expectEqual(`the values in ${prefix}`, values, [prefix])
        }
      })
  },
  {
    name: "what the schema does not encode is refused, and what is there stays",
    rule: typed,
    run: ({ key }) =>
      Effect.gen(function* () {
        const view = Storage.view(Schema.NonEmptyString, { prefix: key() })
        yield* view.set("1", "old")
        yield* expectFailure("set", view.set("1", ""), "InvalidValue")
        const both = view.setMany([
          ["2", "good"],
          ["1", ""]
        ])
        yield* expectFailure("setMany", both, "InvalidValue")
        yield* expectEqual("what is there", yield* view.get("1"), Option.some("old"))
        yield* expectEqual("what came with it", yield* view.get("2"), Option.none())
        const raw = Storage.view(Schema.DateFromSelf, { prefix: key() })
        yield* expectFailure("no JSON", raw.set("3", new Date(0)), "InvalidValue")
      })
  },
  {
    name: "what an earlier version has written is read through the migrations",
    rule: versions,
    run: ({ key, there }) =>
      Effect.gen(function* () {
        const prefix = key("v:")
        const first = Storage.view(Schema.Struct({ name: Schema.String }), { prefix })
        const second = Storage.view(Schema.Struct({ first: Schema.String }), {
          prefix,
          version: 2,
          migrations: { 1: ({ name }) => ({ first: name }) }
        })
        const third = Storage.view(Schema.Struct({ names: Schema.Array(Schema.String) }), {
          prefix,
          version: 3,
          migrations: {
            0: (plain) => ({ name: String(plain) }),
            1: ({ name }) => ({ first: name }),
            2: (encoded) => ({ names: [encoded.first] })
          }
        })
        yield* Storage.set(`${prefix}0`, "plain")
        yield* first.set("1", { name: "ada" })
        yield* second.set("2", { first: "bob" })
        yield* third.set("3", { names: ["cy"] })
        const named = (name: string) => Option.some({ names: [name] })
        const expected = ["plain", "ada", "bob", "cy"].map(named)
        const found = yield* there(third.getMany(["0", "1", "2", "3"]))
        yield* expectEqual("read by the third", found, expected)
        yield* expectEqual("left as it is", yield* first.get("1"), Option.some({ name: "ada" }))
        yield* expectGet(`${prefix}1`, Option.some({ name: "ada" }), "what is stored")
        yield* third.set("1", { names: ["ada", "l."] })
        yield* expectFailure("a later one, read by the first", first.get("1"), "Undecodable")
        const again = yield* third.get("1")
        yield* expectEqual("set again", again, Option.some({ names: ["ada", "l."] }))
      })
  },
  {
    name: "what a view cannot read is Undecodable, and stays as it is",
    rule: honest,
    run: ({ key }) =>
      Effect.gen(function* () {
        const prefix = key("d:")
        const view = Storage.view(Session, { prefix, version: 2 })
        yield* Storage.set(`${prefix}wrong`, { user: 1 })
        yield* Storage.view(Session, { prefix }).set("no way", ada)
        yield* Storage.view(Session, { prefix, version: 3 }).set("later", ada)
        const throwing = Storage.view(Session, {
          prefix,
          version: 2,
          migrations: {
            1: () => {
              throw new Error("not today")
            }
          }
        })
        for (const of of ["wrong", "no way", "later"]) {
          yield* expectFailure(`get, ${of}`, view.get(of), "Undecodable")
          yield* expectFailure(`getEntry, ${of}`, view.getEntry(of), "Undecodable")
          yield* expectFailure(`getMany, ${of}`, view.getMany(["x", of]), "Undecodable")
          yield* expectEqual(`exists, ${of}`, yield* view.exists(of), true)
        }
        yield* expectFailure("a migration that throws", throwing.get("no way"), "Undecodable")
        yield* expectFailure("entries", collect(view.entries()), "Undecodable")
        yield* expectEqual("keys", yield* view.keys(), ["later", "no way", "wrong"])
        yield* expectGet(`${prefix}wrong`, Option.some({ user: 1 }), "what is stored")
        yield* expectEqual("delete", yield* view.delete("wrong"), true)
      })
  }
]
