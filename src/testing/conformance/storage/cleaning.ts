/** Giving back the room of what has expired: no more, no less, and counted. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Storage } from "../../../Storage.js"
import { expectEqual, expectThat } from "../expectation.js"
import { expectGet, type StorageCase, type Traits } from "./subject.js"

const counted = "cleanup removes what has expired, and says how many entries that were"
const immortal =
  "what does not expire is left alone, unless olderThan is given, and then by its age"

const short = 250
const shortIsOver = Effect.sleep(short + 50)

/** What a store has removed by itself, nobody counts. */
const expectCount = ({ isNative }: Traits, what: string, seen: number, expected: number) =>
  isNative
    ? expectThat(what, seen >= 0 && seen <= expected, `${expected} at the most`, seen)
    : expectEqual(what, seen, expected)

const setAll = (keys: ReadonlyArray<string>, ttl: number) =>
  Storage.setMany(
    keys.map((key) => [key, key] as const),
    { ttl }
  )

export const cleaning: ReadonlyArray<StorageCase> = [
  {
    name: "cleanup removes what has expired, and counts it",
    rule: counted,
    run: (subject) =>
      Effect.gen(function* () {
        const { key, start } = subject
        // What other tests have left.
        yield* Storage.cleanup()
        yield* setAll(["d", "e"].map(key), 60_000)
        yield* setAll(["f", "g"].map(key), Infinity)
        yield* expectEqual("before their time", yield* Storage.cleanup(), 0)
        yield* setAll(["a", "b", "c"].map(key), short)
        yield* setAll([key("h")], short)
        yield* setAll([key("h")], Infinity)
        yield* shortIsOver
        yield* expectCount(subject, "at their time", yield* Storage.cleanup(), 3)
        yield* expectEqual("once more", yield* Storage.cleanup(), 0)
        const left = ["d", "e", "f", "g", "h"].map(key)
        yield* expectEqual("what is left", yield* Storage.keys(`${start}*`), left)
      })
  },
  {
    name: "what has expired is removed when it is met",
    rule: "an expired entry goes when it is read, or by cleanup, whatever comes first",
    run: (subject) =>
      Effect.gen(function* () {
        const { key } = subject
        yield* Storage.cleanup()
        yield* setAll(["a", "b", "c", "d", "e"].map(key), short)
        yield* shortIsOver
        yield* expectGet(key("a"), Option.none())
        yield* Storage.getEntry(key("b"))
        yield* Storage.getMany(["c", "d", "x"].map(key))
        yield* expectCount(subject, "what is left to clean up", yield* Storage.cleanup(), 1)
      })
  },
  {
    name: "what does not expire is cleaned up by its age alone, and only if that is asked for",
    rule: immortal,
    run: (subject) =>
      Effect.gen(function* () {
        const { key, start } = subject
        yield* setAll(["old", "old too", "set again"].map(key), Infinity)
        yield* setAll([key("old, and expires")], 60_000)
        yield* Effect.sleep(1_600)
        const before = yield* Clock.currentTimeMillis
        yield* setAll(["set again", "young"].map(key), Infinity)
        yield* Storage.cleanup()
        const all = ["old", "old too", "old, and expires", "set again", "young"].map(key)
        const left = Storage.keys(`${start}*`)
        yield* expectEqual("left without an age", yield* left, all)
        yield* expectEqual("older than a day", yield* Storage.cleanup({ olderThan: "1 day" }), 0)
        const ever = yield* Storage.cleanup({ olderThan: Infinity })
        yield* expectEqual("older than can be", ever, 0)
        yield* expectEqual("left of those", yield* left, all)
        const since = (yield* Clock.currentTimeMillis) - before
        const count = yield* Storage.cleanup({ olderThan: since + 1_500 })
        yield* expectEqual("older than what was set last, by 1,500 ms", count, 2)
        yield* expectEqual("left of all", yield* left, all.slice(2))
      })
  }
]
