/** What is stored is there until it is removed: any value, under any key. */
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { Cache } from "../../../Cache.js"
import { expectEqual, expectThat } from "../expectation.js"
import { oddKeys } from "../oddKeys.js"
import { type CacheCase, counting, expectGet, unexpected } from "./subject.js"

const stays =
  "what was set, or created, is given to whoever asks, until it is invalidated or cleared"
const anyValue =
  "null, undefined, empty text, 0, false and empty arrays are values; Option.none is a miss"
const anyKey = "any string is a key, and different keys are different entries"
const refused = "what cannot be stored is given to the caller all the same, without an error"

const values: Readonly<Record<string, unknown>> = {
  null: null,
  undefined: undefined,
  zero: 0,
  false: false,
  true: true,
  "an empty text": "",
  "an empty array": [],
  "an empty object": {},
  "a large number": Number.MAX_SAFE_INTEGER,
  "a small number": 5e-324,
  unicode: "ключ 🔑 \u2028 \0",
  "something nested": { a: [{ b: null }, [[]], "c"], d: { e: { f: false } } }
}

export const entries: ReadonlyArray<CacheCase> = [
  {
    name: "what is set is there, until it is invalidated",
    rule: stays,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* expectGet(key(), Option.none(), "get of nothing")
        yield* expectEqual("invalidate of nothing", yield* Cache.invalidate(key()), false)
        yield* Cache.set(key(), "first")
        yield* expectGet(key(), Option.some("first"))
        yield* Cache.set(key(), "second")
        yield* expectGet(key(), Option.some("second"), "get, after a second set")
        const given = yield* Cache.getOrCreate(key(), unexpected())
        yield* expectEqual("getOrCreate of what was set", given, "second")
        yield* expectEqual("invalidate", yield* Cache.invalidate(key()), true)
        yield* expectGet(key(), Option.none(), "get, after invalidate")
        yield* expectEqual("a second invalidate", yield* Cache.invalidate(key()), false)
      })
  },
  {
    name: "what is created is there, until it is invalidated",
    rule: stays,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { create, runs } = counting((run) => Effect.succeed(`run ${run}`))
        const lookup = Cache.getOrCreate(key(), create)
        yield* expectEqual("the first lookup", yield* lookup, "run 1")
        yield* expectEqual("the second", yield* lookup, "run 1")
        yield* expectGet(key(), Option.some("run 1"))
        yield* expectEqual("invalidate", yield* Cache.invalidate(key()), true)
        yield* expectEqual("a lookup after it", yield* lookup, "run 2")
        const piped = create.pipe(Cache.cached(key()))
        yield* expectEqual("the same, piped", yield* piped, "run 2")
        yield* expectEqual("runs", runs(), 2)
      })
  },
  {
    name: "any value is a value",
    rule: anyValue,
    run: ({ key }) =>
      Effect.forEach(Object.entries(values), ([name, value]) =>
        Effect.gen(function* () {
          const [set, created] = [key(`set ${name}`), key(`created ${name}`)]
          yield* Cache.set(set, value)
          yield* expectGet(set, Option.some(value), `get of ${name}, set`)
          const found = yield* Cache.getOrCreate(set, unexpected())
          yield* expectEqual<unknown>(`getOrCreate of ${name}, set`, found, value)
          yield* Cache.getOrCreate(created, Effect.succeed(value))
          yield* expectGet(created, Option.some(value), `get of ${name}, created`)
          const again = yield* Cache.getOrCreate(created, unexpected())
          yield* expectEqual<unknown>(`getOrCreate of ${name}, created`, again, value)
        })
      )
  },
  {
    name: "any string is a key",
    rule: anyKey,
    run: ({ key }) =>
      Effect.gen(function* () {
        const keys = Object.entries(oddKeys).map(([name, odd]) => [name, key(odd)] as const)
        yield* Effect.forEach(keys, ([name, of]) => Cache.set(of, name), { concurrency: 8 })
        yield* Effect.forEach(keys, ([name, of]) => expectGet(of, Option.some(name), name), {
          concurrency: "unbounded"
        })
        yield* Effect.forEach(keys, ([name, of]) =>
          Effect.gen(function* () {
            yield* expectEqual(`invalidate, ${name}`, yield* Cache.invalidate(of), true)
            yield* expectGet(of, Option.none(), `${name}, invalidated`)
          })
        )
      })
  },
  {
    name: "the empty string is a key",
    rule: anyKey,
    run: () =>
      Effect.gen(function* () {
        yield* Cache.set("", "at no name")
        yield* expectGet("", Option.some("at no name"))
        yield* expectEqual("invalidate", yield* Cache.invalidate(""), true)
        yield* expectGet("", Option.none())
      })
  },
  {
    name: "what no store can hold is given to its callers",
    rule: refused,
    run: ({ key }) =>
      Effect.gen(function* () {
        const value = { when: new Map([[1, () => 1]]) }
        const { create } = counting(() => Effect.succeed(value))
        const given = yield* Effect.all(
          Array.from({ length: 10 }, () => Cache.getOrCreate(key(), create)),
          { concurrency: "unbounded" }
        )
        yield* expectEqual(
          "what 10 were given",
          given.every((each) => each === value),
          true
        )
        yield* Cache.set(key("set"), "old")
        yield* Cache.set(key("set"), value)
        // A cache in this process may keep it; none may keep what it was to replace.
        const found = yield* Cache.get(key("set"))
        yield* expectThat(
          "get, after set",
          Option.isNone(found) || found.value === value,
          "none, or what was set",
          found
        )
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  }
]

export const clearing: ReadonlyArray<CacheCase> = [
  {
    name: "clear removes every entry",
    rule: stays,
    run: ({ key }) =>
      Effect.gen(function* () {
        const keys = Array.from({ length: 50 }, (_, index) => key(String(index)))
        yield* Effect.forEach(keys, (of) => Cache.set(of, of))
        yield* Cache.clear
        const left = yield* Effect.filter(keys, (of) => Effect.map(Cache.get(of), Option.isSome))
        yield* expectEqual("left after clear", left, [])
        const again = yield* Cache.getOrCreate(keys[0]!, Effect.succeed("again"))
        yield* expectEqual("a lookup after clear", again, "again")
      })
  }
]
