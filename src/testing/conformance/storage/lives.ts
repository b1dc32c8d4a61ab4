/** How long an entry lives, and what is left of it afterwards: nothing. */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Storage } from "../../../Storage.js"
import { expectEqual, expectThat } from "../expectation.js"
import { entryAt, expectFailure, expectGet, lifeOf, type StorageCase } from "./subject.js"

const asSaid = "an entry lives as long as its ttl says, or the layer's, to the millisecond"
const gone = "at the moment when an entry expires it is there no more, for any operation"
const anew = "each set begins a life of its own, whatever was left of the one before"
const above = "a ttl is above zero, or Infinity; another is InvalidTtl, and nothing is written"
const clock = "times are those of the store, in whole milliseconds of UTC"

/** Short enough to wait for. */
const short = 300
/** By then it is over, though clocks be read apart. */
const shortIsOver = Effect.sleep(short + 50)

/** Zones differ by more, and clocks that are set do not. */
const tolerance = 60_000

const day = 86_400_000

export const lives: ReadonlyArray<StorageCase> = [
  {
    name: "an entry lives as long as its ttl says",
    rule: asSaid,
    run: ({ key, ttl }) =>
      Effect.gen(function* () {
        const lives = [
          ["1 second", 1_000],
          ["2 weeks", 14 * day],
          [1_234, 1_234],
          [1_500.5, 1_501],
          // Timers count in 31 bits, some stores in 32.
          [2 ** 31, 2 ** 31],
          [2 ** 32 + 1, 2 ** 32 + 1],
          [100 * day, 100 * day],
          [100_000 * day, 100_000 * day],
          [Infinity, Infinity],
          [Duration.infinity, Infinity],
          // No date is so far off.
          [Number.MAX_VALUE, Infinity],
          [undefined, ttl]
        ] as const
        for (const [given, life] of lives) {
          const named = `the life of an entry with a ttl of ${String(given)}`
          yield* Storage.set(key(), String(given), { ttl: given })
          yield* expectEqual(named, lifeOf(yield* entryAt(key())), life)
          yield* expectGet(key(), Option.some(String(given)))
        }
        yield* Storage.setMany([[key("many"), 1]], { ttl: "3 hours" })
        const many = yield* entryAt(key("many"))
        yield* expectEqual("the life of what setMany has set", lifeOf(many), 10_800_000)
      })
  },
  {
    name: "a part of a millisecond is one",
    rule: asSaid,
    run: ({ key }) =>
      Effect.forEach([0.001, 0.4, 1n, Duration.micros(10n), Duration.nanos(1n)], (ttl, index) =>
        Effect.gen(function* () {
          yield* Storage.set(key(index), 1, { ttl })
          yield* Effect.sleep(20)
          yield* expectEqual("exists, 20 ms later", yield* Storage.exists(key(index)), false)
        })
      )
  },
  {
    name: "at its time an entry is gone, for every operation",
    rule: gone,
    run: ({ key, start, there }) =>
      Effect.gen(function* () {
        yield* Storage.set(key("stays"), "stays", { ttl: "1 minute" })
        const brief = ["a", "b", "c", "d", "e", "f", "g", "h"].map(key)
        yield* Storage.setMany(
          brief.map((of) => [of, of] as const),
          { ttl: short }
        )
        yield* shortIsOver
        const pattern = `${start}*`
        yield* expectEqual("keys", yield* Storage.keys(pattern), [key("stays")])
        const entries = yield* Stream.runCollect(Storage.entries(pattern))
        yield* expectEqual(
          "entries",
          Chunk.toArray(entries).map((it) => it.key),
          [key("stays")]
        )
        const streamed = yield* there(Stream.runCollect(Storage.keysStream(pattern)))
        yield* expectEqual("keysStream", Chunk.toArray(streamed), [key("stays")])
        yield* expectEqual("exists", yield* there(Storage.exists(key("a"))), false)
        yield* expectEqual("getEntry", yield* Storage.getEntry(key("b")), Option.none())
        yield* expectEqual("delete", yield* Storage.delete(key("c")), false)
        yield* there(expectGet(key("d"), Option.none()))
        const some = [key("e"), key("stays"), key("f")]
        const found = [Option.none(), Option.some("stays"), Option.none()]
        yield* expectEqual("getMany", yield* Storage.getMany(some), found)
        const both = [key("g"), key("stays"), key("h")]
        yield* expectEqual("deleteMany", yield* Storage.deleteMany(both), 1)
      })
  },
  {
    name: "an entry is there until its time",
    rule: gone,
    run: ({ key }) =>
      Effect.gen(function* () {
        const ttl = 700
        const before = yield* Clock.currentTimeMillis
        yield* Storage.set(key(), 1, { ttl })
        const after = yield* Clock.currentTimeMillis
        // A busy machine looks late: what it sees has to fit the time at which it looked.
        for (let isThere = true; isThere; yield* Effect.sleep(50)) {
          const begun = yield* Clock.currentTimeMillis
          isThere = yield* Storage.exists(key())
          const ended = yield* Clock.currentTimeMillis
          yield* isThere
            ? expectThat("exists", begun < after + ttl + 50, "false, past its time", begun - after)
            : expectThat("exists", ended >= before + ttl - 5, "true, until then", ended - before)
        }
        yield* expectGet(key(), Option.none(), "get, after its time")
      })
  },
  {
    name: "what was there before says nothing of how long what is there now lives",
    rule: anew,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Storage.set(key("longer"), 1, { ttl: short })
        yield* Storage.set(key("for good"), 1, { ttl: short })
        yield* Storage.set(key("shorter"), 1, { ttl: "1 minute" })
        yield* Storage.set(key("no more"), 1, { ttl: Infinity })
        yield* Storage.set(key("expired"), 1, { ttl: short, metadata: { old: true } })
        yield* Storage.set(key("longer"), 2, { ttl: "1 minute" })
        yield* Storage.set(key("for good"), 2, { ttl: Infinity })
        yield* Storage.set(key("shorter"), 2, { ttl: short })
        yield* Storage.set(key("no more"), 2, { ttl: short })
        yield* shortIsOver
        yield* expectGet(key("longer"), Option.some(2), "with a longer ttl")
        yield* expectGet(key("for good"), Option.some(2), "for good")
        yield* expectGet(key("shorter"), Option.none(), "with a shorter ttl")
        yield* expectGet(key("no more"), Option.none(), "no more for good")
        yield* Storage.set(key("expired"), 2, { ttl: Infinity })
        const entry = yield* entryAt(key("expired"))
        yield* expectEqual("in the place of what has expired", entry.value, 2)
        yield* expectEqual("its metadata", entry.metadata, {})
        yield* expectEqual("its life", lifeOf(entry), Infinity)
      })
  },
  {
    name: "a ttl of zero, of less, or of no number is refused, and what is there stays",
    rule: above,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Storage.set(key(), "old", { ttl: "1 hour", metadata: { old: true } })
        const wrong: ReadonlyArray<Duration.DurationInput> = [
          0,
          0n,
          -1,
          -1n,
          -Infinity,
          Number.NaN,
          Duration.zero,
          "0 seconds",
          "-1 seconds" as never,
          "soon" as never
        ]
        for (const ttl of wrong) {
          const named = `a ttl of ${String(ttl)}`
          for (const at of [key(), key("new")]) {
            yield* expectFailure(named, Storage.set(at, "new", { ttl }), "InvalidTtl")
            const many = Storage.setMany([[at, "new"]], { ttl })
            yield* expectFailure(`${named}, of setMany`, many, "InvalidTtl")
          }
        }
        yield* expectEqual("exists, refused", yield* Storage.exists(key("new")), false)
        const old = yield* entryAt(key())
        yield* expectEqual("what was there", old.value, "old")
        yield* expectEqual("its metadata", old.metadata, { old: true })
        yield* expectEqual("its life", lifeOf(old), 3_600_000)
      })
  },
  {
    name: "an entry knows when it was set, and when it expires",
    rule: clock,
    run: ({ key }) =>
      Effect.gen(function* () {
        const before = yield* DateTime.now
        yield* Storage.set(key(), 1, { ttl: "1 hour" })
        const { createdAt, expiresAt } = yield* entryAt(key())
        const off = DateTime.distance(before, createdAt)
        yield* expectThat("createdAt", Math.abs(off) < tolerance, "now", createdAt)
        yield* expectEqual(
          "expiresAt",
          expiresAt,
          Option.some(DateTime.add(createdAt, { hours: 1 }))
        )
        yield* Effect.sleep(50)
        const { createdAt: same } = yield* entryAt(key())
        yield* expectEqual("createdAt, read again", same, createdAt)
        yield* Storage.set(key("later"), 1)
        const later = DateTime.distance(createdAt, (yield* entryAt(key("later"))).createdAt)
        yield* expectThat("between the two", later >= 40 && later < tolerance, "50 ms", later)
      })
  },
  {
    name: "an entry has expired at the very millisecond, and then has no time left",
    rule: gone,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Storage.set(key(), 1, { ttl: "1 hour" })
        const entry = yield* entryAt(key())
        const expected = [
          { after: 0, isExpired: false, remaining: 3_600_000 },
          { after: 1_800_000, isExpired: false, remaining: 1_800_000 },
          { after: 3_599_999, isExpired: false, remaining: 1 },
          { after: 3_600_000, isExpired: true, remaining: 0 },
          { after: 3_600_001, isExpired: true, remaining: 0 },
          { after: 100 * day, isExpired: true, remaining: 0 }
        ]
        for (const { after, isExpired, remaining } of expected) {
          const now = DateTime.add(entry.createdAt, { millis: after })
          yield* expectEqual(`isExpired, ${after} ms after`, entry.isExpired(now), isExpired)
          const left = Option.map(entry.remainingTtl(now), Duration.toMillis)
          yield* expectEqual(`remainingTtl, ${after} ms after`, left, Option.some(remaining))
        }
        yield* Storage.set(key(), 1, { ttl: Infinity })
        const lasting = yield* entryAt(key())
        const late = DateTime.add(lasting.createdAt, { days: 100_000 })
        yield* expectEqual("isExpired, for good", lasting.isExpired(late), false)
        yield* expectEqual("remainingTtl, for good", lasting.remainingTtl(late), Option.none())
      })
  }
]
