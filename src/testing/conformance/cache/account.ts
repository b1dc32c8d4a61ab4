/** What a cache says of itself: counters, keys, stats, one entry, its health. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Cache } from "../../../Cache.js"
import * as CacheRegion from "../../../CacheRegion.js"
import { expectEqual, expectThat } from "../expectation.js"
import { type CacheCase, counting, together } from "./subject.js"

const sums = "each lookup is exactly one of hit, miss, stale and bypassed"
const well = "a cache whose backend answers is healthy, with nothing pending"
const tells = "inspect tells of one entry what an operator asks for, and none of what is not there"
const lists = "keys gives the users' keys, without the prefix, that match the pattern"

export const account: ReadonlyArray<CacheCase> = [
  {
    name: "lookups are counted, each as one thing",
    rule: sums,
    run: ({ key }) =>
      Effect.gen(function* () {
        const create = counting(() => Effect.succeed("value")).create
        yield* Cache.get(key())
        yield* Cache.getOrCreate(key(), create)
        yield* Cache.getOrCreate(key(), create)
        yield* Cache.get(key())
        yield* Cache.set(key(), "other")
        yield* Cache.invalidate(key())
        yield* Cache.getOrCreate(key(), create, { refresh: true })
        yield* Effect.ignore(Cache.getOrCreate(key("failing"), Effect.fail("broken")))
        yield* Cache.getOrCreate(key("unstored"), create, { ttl: 0 })
        const { bypassed, hitRate, hits, loadFailures, loads, misses, stale } =
          yield* Cache.counters
        yield* expectEqual(
          "what was counted",
          { hits, misses, stale, bypassed, loads, loadFailures, hitRate },
          { hits: 2, misses: 5, stale: 0, bypassed: 0, loads: 4, loadFailures: 1, hitRate: 2 / 7 }
        )
      })
  },
  {
    name: "the counters of many lookups at once add up",
    rule: sums,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { hitRate: rateOfNone } = yield* Cache.counters
        yield* expectEqual("the hit rate before any lookup", rateOfNone, 0)
        yield* Effect.all(
          Array.from({ length: 10 }, (_, index) =>
            together(
              30,
              Cache.getOrCreate(key(String(index)), counting(() => Effect.succeed(1)).create)
            )
          ),
          { concurrency: "unbounded" }
        )
        const { bypassed, coalesced, hits, loads, misses, stale } = yield* Cache.counters
        yield* expectEqual("lookups", hits + misses + stale + bypassed, 300)
        yield* expectEqual("loads", loads, 10)
        yield* expectThat("coalesced", coalesced <= 290, "at most 290", coalesced)
      })
  },
  {
    name: "a region counts what is its own",
    rule: sums,
    run: ({ key, region }) =>
      Effect.gen(function* () {
        const users = CacheRegion.make({ name: region(), value: Schema.Number })
        yield* users.getOrCreate("1", Effect.succeed(1))
        yield* users.get("1")
        yield* Cache.get(key())
        const [own, all] = [yield* users.counters, yield* Cache.counters]
        yield* expectEqual(
          "hits and misses of the region, and of all",
          [own.hits, own.misses, all.hits, all.misses],
          [1, 1, 1, 2]
        )
      })
  },
  {
    name: "inspect tells of one entry",
    rule: tells,
    run: ({ key, region }) =>
      Effect.gen(function* () {
        const of = region()
        const users = CacheRegion.make({ name: of, value: Schema.Number, version: 7 })
        const create = counting(() => Effect.succeed(1), 30).create
        yield* users.getOrCreate("1", create, { ttl: "1 minute", beta: 0 })
        const info = yield* Cache.inspect(`${of}:1`)
        if (Option.isNone(info)) {
          return yield* expectEqual("inspect", "none", "an entry")
        }
        const { age, delta, freshness, kind, timeToLive, version } = info.value
        yield* expectEqual(
          "inspect",
          { key: info.value.key, kind, freshness, version },
          { key: `${of}:1`, kind: "value", freshness: "fresh", version: 7 }
        )
        const times = [age, delta, timeToLive].map(Duration.toMillis)
        yield* expectThat(
          "its age, delta and time to live, in milliseconds",
          times[0]! < 5_000 && times[1]! >= 20 && times[1]! < 5_000 && times[2]! > 50_000,
          "less than 5 s, about 30 ms, just under a minute",
          times
        )
        yield* expectEqual("of nothing", yield* Cache.inspect(key("nothing")), Option.none())
      })
  },
  {
    name: "a cache in use is healthy",
    rule: well,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* together(50, Cache.getOrCreate(key(), Effect.succeed("value")))
        yield* Cache.set(key(), "other")
        yield* Cache.invalidate(key())
        const { circuit, healthy, pendingInvalidations, reason } = yield* Cache.health
        const { backendErrors } = yield* Cache.counters
        yield* expectEqual(
          "health",
          { healthy, circuit, pendingInvalidations, reason, backendErrors },
          {
            healthy: true,
            circuit: "closed",
            pendingInvalidations: 0,
            reason: Option.none(),
            backendErrors: 0
          }
        )
      })
  }
]

const keysLike = (pattern: string) =>
  Effect.map(Stream.runCollect(Cache.keys(pattern)), (found) => [...new Set(found)].toSorted())

export const listing: ReadonlyArray<CacheCase> = [
  {
    name: "keys gives what matches",
    rule: lists,
    run: ({ key, start }) =>
      Effect.gen(function* () {
        const own = ["user:1", "user:2", "user2:1", "use[r]", "*"].map(key).toSorted()
        yield* Effect.forEach(own, (of) => Cache.set(of, 1))
        yield* Cache.set(key("gone"), 1)
        yield* Cache.invalidate(key("gone"))
        yield* expectEqual("of this test", yield* keysLike(`${start}*`), own)
        const users = [key("user:1"), key("user:2")]
        yield* expectEqual("of users", yield* keysLike(`${start}user:*`), users)
        yield* expectEqual("one letter", yield* keysLike(`${start}user:?`), users)
        const escaped = yield* keysLike(`${start}use\\[r\\]`)
        yield* expectEqual("brackets, escaped", escaped, [key("use[r]")])
        yield* expectEqual("nothing", yield* keysLike(`${start}nothing*`), [])
      })
  },
  {
    name: "stats count what is held, and name it",
    rule: lists,
    run: ({ key }) =>
      Effect.gen(function* () {
        const own = ["a", "b"].map(key)
        yield* Effect.forEach(own, (of) => Cache.getOrCreate(of, Effect.succeed(1)))
        const { keys, loads, size, truncated } = yield* Cache.stats
        yield* expectEqual("loads", loads, 2)
        yield* expectThat("size", size >= 2, "2 or more", size)
        yield* expectThat(
          "its keys",
          truncated || own.every((of) => keys.includes(of)),
          "to have both, unless truncated",
          keys
        )
      })
  }
]
