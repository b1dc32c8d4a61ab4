/** How long an entry is fresh, what becomes of it then, and how it is made anew. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { Cache } from "../../../Cache.js"
import { now } from "../../../port/monotonic.js"
import { eventually, expectEqual, expectThat } from "../expectation.js"
import {
  type CacheCase,
  counting,
  distinct,
  expectGet,
  gated,
  together,
  unexpected
} from "./subject.js"

const lives = "an entry is fresh for its ttl, and then a miss, unless it has a stale window"
const never = "a ttl of zero is computed, shared with those who wait, and not stored"
const revalidates =
  "within staleWhileRevalidate the stale value is served at once, and rebuilt behind, once"
const standsIn =
  "within staleIfError the stale value is served where its rebuild fails, counted stale, and kept"
const hurries =
  "with a value within staleIfError at hand, softTimeout ends the wait and not the rebuild"
const getsFresh = "get gives fresh entries only"
const replaces = "refresh: true skips the read, runs the creator, and stores what it makes"
const early =
  "early refresh gives the reader the value that is there, and runs the creator behind, once"

/** Whether it is still fresh cannot be said if the test itself was late. */
const whileFresh = <A, E, R>(
  ttl: number,
  store: Effect.Effect<unknown, E, R>,
  check: Effect.Effect<A, E, R>
) =>
  Effect.gen(function* () {
    const from = yield* now
    yield* store
    const seen = yield* Effect.either(check)
    if ((yield* now) - from < ttl) yield* seen
  })

export const freshness: ReadonlyArray<CacheCase> = [
  {
    name: "an entry that was set is gone after its ttl",
    rule: lives,
    run: ({ key, shortTtl: ttl }) =>
      Effect.gen(function* () {
        const set = Cache.set(key(), "value", { ttl })
        yield* whileFresh(ttl, set, expectGet(key(), Option.some("value")))
        yield* eventually(expectGet(key(), Option.none(), "get, after the ttl"), ttl)
      })
  },
  {
    name: "an entry that was created is created again after its ttl",
    rule: lives,
    run: ({ key, shortTtl: ttl }) =>
      Effect.gen(function* () {
        const { create, runs } = counting((run) => Effect.succeed(run), 0)
        const lookup = Cache.getOrCreate(key(), create, { ttl, beta: 0 })
        yield* whileFresh(
          ttl,
          Effect.zipRight(lookup, lookup),
          Effect.suspend(() => expectEqual("runs before the ttl is over", runs(), 1))
        )
        const isNew = Effect.flatMap(lookup, (run) =>
          expectThat("the run that made it, after the ttl", run > 1, "a later one", run)
        )
        yield* eventually(isNew, ttl)
      })
  },
  {
    name: "the ttl may depend on the value",
    rule: lives,
    run: ({ key, shortTtl }) =>
      Effect.gen(function* () {
        const ttl = (value: string) => (value === "short" ? shortTtl : "1 minute")
        yield* Cache.getOrCreate(key("short"), Effect.succeed("short"), { ttl })
        yield* Cache.getOrCreate(key("long"), Effect.succeed("long"), { ttl })
        yield* eventually(expectGet(key("short"), Option.none()), shortTtl)
        yield* expectGet(key("long"), Option.some("long"))
      })
  },
  {
    name: "a ttl may be without end, or beyond 2^31 ms",
    rule: lives,
    run: ({ key }) =>
      Effect.gen(function* () {
        const lives = ["30 days", Infinity, 2 ** 31 + 0.5] as const
        for (const ttl of lives) {
          yield* Cache.set(key(`set ${ttl}`), "value", { ttl })
          yield* Cache.getOrCreate(key(`created ${ttl}`), Effect.succeed("value"), { ttl })
        }
        yield* Effect.sleep(50)
        for (const ttl of lives) {
          yield* expectGet(key(`set ${ttl}`), Option.some("value"), `set, ttl ${ttl}`)
          yield* expectGet(key(`created ${ttl}`), Option.some("value"), `created, ttl ${ttl}`)
        }
      })
  },
  {
    name: "a ttl of zero is shared with those who wait, and not stored",
    rule: never,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { create } = counting((run) => Effect.succeed(`run ${run}`), 50)
        const lookup = Cache.getOrCreate(key(), create, { ttl: 0 })
        const given = yield* together(100, lookup)
        yield* expectEqual("what 100 were given", distinct(given), ["run 1"])
        yield* expectGet(key(), Option.none())
        yield* expectEqual("who comes later", yield* lookup, "run 2")
        yield* Cache.set(key("set"), "old")
        yield* Cache.set(key("set"), "value", { ttl: 0 })
        yield* expectGet(key("set"), Option.none(), "get, after a set with a ttl of zero")
      })
  },
  {
    name: "a stale value is served at once, and rebuilt behind",
    rule: revalidates,
    run: ({ key, shortTtl }) =>
      Effect.gen(function* () {
        const window = { staleWhileRevalidate: "1 minute", beta: 0 } as const
        yield* Cache.getOrCreate(key(), Effect.succeed("old"), { ...window, ttl: shortTtl })
        yield* Effect.sleep(shortTtl + 50)
        const { begun, create, open, runs } = yield* gated("new")
        const lookup = Cache.getOrCreate(key(), create, { ...window, ttl: "1 minute" })
        yield* expectEqual("while it is rebuilt", distinct(yield* together(10, lookup)), ["old"])
        yield* expectGet(key(), Option.none(), "get of a stale entry")
        yield* begun
        yield* open
        yield* eventually(expectGet(key(), Option.some("new"), "get, when it is rebuilt"))
        yield* expectEqual("runs behind", runs(), 1)
        const { loads, stale } = yield* Cache.counters
        yield* expectEqual("stale reads, and loads", [stale, loads], [10, 2])
      })
  },
  {
    name: "a failed rebuild behind harms nobody",
    rule: revalidates,
    run: ({ key, shortTtl }) =>
      Effect.gen(function* () {
        const window = { staleWhileRevalidate: "1 minute", beta: 0 } as const
        yield* Cache.getOrCreate(key(), Effect.succeed("old"), { ...window, ttl: shortTtl })
        yield* Effect.sleep(shortTtl + 50)
        const { create, runs } = counting(() => Effect.fail("broken"), 0)
        const lookup = Cache.getOrCreate(key(), create, window)
        yield* expectEqual<unknown>("while it is rebuilt", yield* lookup, "old")
        const hasRun = Effect.suspend(() => expectThat("runs", runs() > 0, "one", runs()))
        yield* eventually(hasRun)
        yield* expectEqual<unknown>("after it has failed", yield* lookup, "old")
      })
  },
  {
    name: "whoever wants nothing rebuilt behind is not served what is stale",
    rule: revalidates,
    run: ({ key, shortTtl }) =>
      Effect.gen(function* () {
        const options = { staleWhileRevalidate: "1 minute", beta: 0, ttl: shortTtl } as const
        yield* Cache.getOrCreate(key(), Effect.succeed("old"), options)
        yield* Cache.getOrCreate(key("other"), Effect.succeed("old"), options)
        yield* Effect.sleep(shortTtl + 50)
        const create = Effect.succeed("new")
        const inFront = Cache.getOrCreate(key(), create, { ...options, background: false })
        yield* expectEqual("with background: false", yield* inFront, "new")
        const windowless = { ...options, staleWhileRevalidate: 0 }
        const other = Cache.getOrCreate(key("other"), create, windowless)
        yield* expectEqual("with no window of the reader's own", yield* other, "new")
      })
  },
  {
    name: "a stale value is served where its rebuild fails",
    rule: standsIn,
    run: ({ key, shortTtl }) =>
      Effect.gen(function* () {
        const window = { staleIfError: "1 minute", beta: 0 } as const
        yield* Cache.getOrCreate(key(), Effect.succeed("old"), { ...window, ttl: shortTtl })
        yield* Effect.sleep(shortTtl + 50)
        const { create, runs } = counting((run) =>
          run === 1 ? Effect.fail("broken") : Effect.dieMessage("broken")
        )
        const lookup = Cache.getOrCreate(key(), create, window)
        yield* expectEqual("where it fails", distinct(yield* together(10, lookup)), ["old"])
        yield* expectEqual<unknown>("where it dies", yield* lookup, "old")
        yield* expectEqual("runs", runs(), 2)
        yield* expectGet(key(), Option.none(), "get of a stale entry")
        const { loadFailures, misses, stale } = yield* Cache.counters
        const counted = { loadFailures, misses, stale }
        yield* expectEqual("what is counted", counted, { loadFailures: 2, misses: 2, stale: 11 })
        const unwilling = Cache.getOrCreate(key(), Effect.fail("broken"), { staleIfError: 0 })
        yield* expectEqual("with no window of its own", yield* Effect.flip(unwilling), "broken")
        const rebuilt = yield* Cache.getOrCreate(key(), Effect.succeed("new"), window)
        yield* expectEqual("where it succeeds", rebuilt, "new")
        yield* expectGet(key(), Option.some("new"))
      })
  },
  {
    name: "a stale value that was invalidated stands in for nothing",
    rule: standsIn,
    run: ({ key, shortTtl }) =>
      Effect.gen(function* () {
        const window = { staleIfError: "1 minute", beta: 0 } as const
        yield* Cache.getOrCreate(key(), Effect.succeed("old"), { ...window, ttl: shortTtl })
        yield* Effect.sleep(shortTtl + 50)
        yield* expectEqual("invalidate of a stale entry", yield* Cache.invalidate(key()), true)
        const lookup = Cache.getOrCreate(key(), Effect.fail("broken"), window)
        yield* expectEqual("what the caller is given", yield* Effect.flip(lookup), "broken")
      })
  },
  {
    name: "a rebuild that takes too long goes on behind a stale value",
    rule: hurries,
    run: ({ key, shortTtl }) =>
      Effect.gen(function* () {
        const window = { staleIfError: "1 minute", beta: 0 } as const
        yield* Cache.getOrCreate(key(), Effect.succeed("old"), { ...window, ttl: shortTtl })
        yield* Effect.sleep(shortTtl + 50)
        const { create, interrupted, open, runs } = yield* gated("new")
        const lookup = Cache.getOrCreate(key(), create, { ...window, ttl: "1 minute" })
        const joiner = yield* Effect.fork(lookup)
        const hasty = Cache.getOrCreate(key(), create, { ...window, softTimeout: 50 })
        yield* expectEqual("who waits no longer", distinct(yield* together(10, hasty)), ["old"])
        yield* Fiber.interrupt(joiner)
        yield* expectGet(key(), Option.none(), "get, while it is rebuilt")
        yield* open
        yield* eventually(expectGet(key(), Option.some("new"), "get, when it is rebuilt"))
        yield* expectEqual("runs, and those interrupted", [runs(), interrupted()], [1, 0])
      })
  },
  {
    name: "with nothing stale at hand there is no soft timeout",
    rule: hurries,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { create } = counting((run) => Effect.succeed(run), 100)
        const options = { staleIfError: "1 minute", softTimeout: 10 } as const
        yield* expectEqual("the first", yield* Cache.getOrCreate(key(), create, options), 1)
      })
  },
  {
    name: "get gives nothing stale, and invalidate finds it",
    rule: getsFresh,
    run: ({ key, shortTtl: ttl }) =>
      Effect.gen(function* () {
        yield* Cache.getOrCreate(key(), Effect.succeed("old"), {
          ttl,
          staleWhileRevalidate: "1 minute"
        })
        yield* eventually(expectGet(key(), Option.none()), ttl)
        const wasThere = yield* Cache.invalidate(key())
        yield* expectEqual("invalidate of a stale entry", wasThere, true)
      })
  },
  {
    name: "refresh: true runs the creator, and stores what it makes",
    rule: replaces,
    run: ({ key }) =>
      Effect.gen(function* () {
        yield* Cache.set(key(), "old")
        const create = Effect.succeed("new")
        const refreshed = yield* Cache.getOrCreate(key(), create, { refresh: true })
        yield* expectEqual("what the caller is given", refreshed, "new")
        yield* expectGet(key(), Option.some("new"))
        const first = yield* Cache.getOrCreate(key("cold"), create, { refresh: true })
        yield* expectEqual("with nothing there", first, "new")
        yield* expectGet(key("cold"), Option.some("new"))
      })
  },
  {
    name: "refresh: true does not join a rebuild that began before",
    rule: replaces,
    run: ({ key }) =>
      Effect.gen(function* () {
        const { begun, create, open } = yield* gated("old")
        const slow = yield* Effect.fork(Cache.getOrCreate(key(), create))
        yield* begun
        const newer = Cache.getOrCreate(key(), Effect.succeed("new"), { refresh: true })
        yield* expectEqual("what the caller is given", yield* newer, "new")
        yield* open
        yield* slow
        yield* expectGet(key(), Option.some("new"), "get, after the slow one has ended, too")
      })
  },
  {
    name: "an early refresh gives what is there, and rebuilds behind",
    rule: early,
    run: ({ key }) =>
      Effect.gen(function* () {
        const slow = counting(() => Effect.succeed("old"))
        const options = { ttl: "1 minute", beta: 1e9 } as const
        yield* Cache.getOrCreate(key(), slow.create, options)
        const { create, open, runs } = yield* gated("new")
        const lookup = Cache.getOrCreate(key(), create, options)
        // An entry is left alone until it is as old as it took to make.
        const fires = Effect.gen(function* () {
          yield* expectEqual("who reads", yield* lookup, "old")
          yield* expectThat("runs of the creator", runs() > 0, "one", runs())
        })
        yield* eventually(fires, 40)
        yield* expectEqual("who reads meanwhile", distinct(yield* together(10, lookup)), ["old"])
        yield* expectGet(key(), Option.some("old"), "get, while it is refreshed")
        yield* open
        yield* eventually(expectGet(key(), Option.some("new"), "get, when it is refreshed"))
        yield* expectEqual("runs behind", runs(), 1)
        const unwilling = Cache.getOrCreate(key(), unexpected(), { ...options, beta: 0 })
        yield* expectEqual<unknown>("with beta 0", yield* unwilling, "new")
      })
  }
]
