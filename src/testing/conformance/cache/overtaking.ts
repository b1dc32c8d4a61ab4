/** What is written or invalidated while a creator runs wins over what it makes. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { Cache } from "../../../Cache.js"
import { expectEqual } from "../expectation.js"
import { type CacheCase, distinct, expectGet, gated, joined, together } from "./subject.js"

const wins =
  "a write overtakes the rebuild under way: what the rebuild makes is given to those who came " +
  "before the write, to nobody after it, and not stored"

interface Write {
  readonly name: string
  readonly write: (key: string) => Effect.Effect<unknown, never, Cache>
  /** What is there afterwards. */
  readonly leaves: Option.Option<string>
}

const set: Write = {
  name: "set",
  write: (key) => Cache.set(key, "written"),
  leaves: Option.some("written")
}
const invalidate: Write = {
  name: "invalidate",
  write: (key) => Cache.invalidate(key),
  leaves: Option.none()
}
const clear: Write = { name: "clear", write: () => Cache.clear, leaves: Option.none() }

/**
 *     rebuild begins ── write ── newcomer asks ── rebuild ends ── who looks?
 */
const overtakes = ({ leaves, name, write }: Write): CacheCase => ({
  name: `${name} in the middle of a rebuild wins`,
  rule: wins,
  run: ({ key }) =>
    Effect.gen(function* () {
      const { begun, create, open } = yield* gated("overtaken")
      const before = yield* Effect.fork(Cache.getOrCreate(key(), create))
      yield* begun
      yield* write(key())
      const newcomer = Cache.getOrCreate(key(), Effect.succeed("newcomer's"))
      const expected = Option.getOrElse(leaves, () => "newcomer's")
      yield* expectEqual(`who comes after ${name}`, yield* newcomer, expected)
      yield* open
      yield* expectEqual(`who came before ${name}`, yield* Fiber.join(before), "overtaken")
      yield* expectGet(key(), Option.some(expected), "get, when the rebuild has ended")
    })
})

const leavesNothing = ({ leaves, name, write }: Write): CacheCase => ({
  name: `a rebuild that ${name} overtook stores nothing`,
  rule: wins,
  run: ({ key }) =>
    Effect.gen(function* () {
      const { begun, create, open } = yield* gated("overtaken")
      const before = yield* Effect.fork(Cache.getOrCreate(key(), create))
      yield* begun
      yield* write(key())
      yield* open
      yield* Fiber.join(before)
      yield* expectGet(key(), leaves, "get, when the rebuild has ended")
    })
})

/** A refresh behind, overtaken in its turn, must not bring the old value back either. */
const overtakesRefresh = ({ leaves, name, write }: Write): CacheCase => ({
  name: `${name} in the middle of a rebuild behind wins`,
  rule: wins,
  run: ({ key, shortTtl }) =>
    Effect.gen(function* () {
      const window = { staleWhileRevalidate: "1 minute", beta: 0 } as const
      yield* Cache.getOrCreate(key(), Effect.succeed("old"), { ...window, ttl: shortTtl })
      yield* Effect.sleep(shortTtl + 50)
      const { begun, create, open } = yield* gated("overtaken")
      const stale = yield* Cache.getOrCreate(key(), create, { ...window, ttl: "1 minute" })
      yield* expectEqual("the stale value", stale, "old")
      yield* begun
      yield* write(key())
      yield* open
      yield* Effect.sleep(50)
      yield* expectGet(key(), leaves, "get, when the rebuild has ended")
    })
})

const all = (write: Write): ReadonlyArray<CacheCase> => [
  overtakes(write),
  leavesNothing(write),
  overtakesRefresh(write)
]

/** Those who joined late may have to go round again: still the same lookup. */
const countsOnce: CacheCase = {
  name: "whoever a write sends round again is counted once",
  rule: "each lookup is exactly one of hit, miss, stale and bypassed, however often it goes round",
  run: ({ key }) =>
    Effect.gen(function* () {
      const { begun, create, open } = yield* gated("value")
      const lookup = Cache.getOrCreate(key(), create)
      const first = yield* Effect.fork(lookup)
      yield* begun
      const late = yield* Effect.fork(together(10, lookup))
      yield* joined(10)
      yield* Cache.invalidate(key())
      yield* open
      yield* Fiber.join(first)
      yield* expectEqual("those who joined late", distinct(yield* Fiber.join(late)), ["value"])
      const { bypassed, hits, misses, stale } = yield* Cache.counters
      yield* expectEqual("lookups", hits + misses + stale + bypassed, 11)
    })
}

export const overtaking: ReadonlyArray<CacheCase> = [...[set, invalidate].flatMap(all), countsOnce]

export const overtakingByClear: ReadonlyArray<CacheCase> = all(clear)
