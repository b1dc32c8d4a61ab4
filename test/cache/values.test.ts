/** Values without a schema: what JSON keeps is kept, what it would lose is refused, not lost. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import { Cache } from "effect-larder"
import { counting, keys, kinds, memory, refusing, withLog } from "./world.js"

const storable = FastCheck.oneof(
  FastCheck.jsonValue({ maxDepth: 3 }),
  FastCheck.constantFrom(null, undefined, "", 0, false, true, [], {}, [[], {}, null]),
  FastCheck.constantFrom(1e308, -5e-324, Number.MAX_SAFE_INTEGER, "\0\r\n\u2028\ud800😀"),
  FastCheck.jsonValue({ maxDepth: 2 }).map((value) =>
    Object.assign(Object.create(null), { value })
  ),
  FastCheck.jsonValue({ maxDepth: 1 }).map((value) => [value, value, { value }])
).filter((value) => !JSON.stringify([value]).includes("-0"))

class Account {
  constructor(readonly owner: string) {}
}

const cycle: { self?: unknown } = {}
cycle.self = cycle

/** What JSON would change or lose. */
const lost: ReadonlyArray<readonly [what: string, make: (secret: string) => unknown]> = [
  ["a Date", () => new Date(86_400_000)],
  ["a Map", (secret) => new Map([[secret, secret]])],
  ["a Set", (secret) => new Set([secret])],
  ["an instance of a class", (secret) => new Account(secret)],
  ["an error", (secret) => new Error(secret)],
  ["a function", () => () => 1],
  ["a symbol", (secret) => Symbol(secret)],
  ["a bigint", () => 1_234_567_890n],
  ["NaN", () => Number.NaN],
  ["Infinity", () => Infinity],
  ["-Infinity", () => -Infinity],
  ["-0", () => -0],
  ["a typed array", () => new Uint8Array([1, 2])],
  ["a boxed number", () => Object(1)],
  // eslint-disable-next-line no-sparse-arrays -- it is what is meant
  ["a sparse array", (secret) => [secret, , secret]],
  ["a cycle", () => cycle],
  ["a toJSON method", (secret) => ({ toJSON: () => secret })],
  ["undefined inside an object", (secret) => ({ secret, missing: undefined })],
  ["undefined inside an array", (secret) => [secret, undefined]],
  ["a symbol as a key", (secret) => ({ [Symbol(secret)]: 1 })],
  ["a getter", (secret) => Object.defineProperty({}, "x", { get: () => secret, enumerable: true })]
]

for (const { layer, name } of kinds) {
  describe(`on ${name}`, () => {
    it.effect.prop(
      "what JSON keeps comes back as it was, and is created once",
      [storable],
      ([value]) =>
        Effect.gen(function* () {
          const creator = counting(Effect.succeed(value))
          const lookup = Cache.getOrCreate("created", creator.create)
          expect(yield* lookup).toBe(value)
          expect(yield* lookup).toEqual(value)
          expect(creator.runs).toBe(1)
          expect(yield* Cache.get("created")).toEqual(Option.some(value))
          yield* Cache.set("set", value)
          expect(yield* Cache.get("set")).toEqual(Option.some(value))
          expect((yield* Cache.counters).encodeErrors).toBe(0)
        }).pipe(Effect.provide(layer())),
      { fastCheck: { numRuns: 30 } }
    )

    for (const value of [null, undefined, "", 0, false, []]) {
      it.effect(`${JSON.stringify(value)} is a value, not a miss`, () =>
        Effect.gen(function* () {
          yield* Cache.getOrCreate("k", Effect.succeed(value))
          expect(yield* Cache.getOrCreate("k", Effect.succeed("another"))).toEqual(value)
          expect(yield* Cache.get("k")).toEqual(Option.some(value))
          expect(yield* Cache.invalidate("k")).toBe(true)
          expect(yield* Cache.get("k")).toEqual(Option.none())
          expect(yield* Cache.counters).toMatchObject({ hits: 2, misses: 2 })
        }).pipe(Effect.provide(layer()))
      )
    }
  })
}

describe("on memory that is not strict", () => {
  it.effect.each([...lost])("%s is kept, by reference", ([, make]) =>
    Effect.gen(function* () {
      const value = make("Ada")
      yield* Cache.getOrCreate("k", Effect.succeed(value))
      expect(yield* Cache.getOrCreate("k", Effect.succeed("another"))).toBe(value)
      yield* Cache.set("k", [value])
      expect(yield* Cache.get("k")).toEqual(Option.some([value]))
      expect((yield* Cache.counters).encodeErrors).toBe(0)
    }).pipe(Effect.provide(memory.layer()))
  )
})

for (const { layer, name } of refusing) {
  describe(`on ${name}`, () => {
    it.effect.each([...lost])("%s is refused: the caller gets it, the log says where", ([, make]) =>
      Effect.gen(function* () {
        const secret = "the crown jewels"
        const value = { owner: secret, rows: [{ id: 1 }, { "odd key": make(secret) }] }
        const creator = counting(Effect.succeed(value))
        const [got, lines] = yield* withLog(Cache.getOrCreate("user:42", creator.create))
        expect(got).toBe(value)
        expect(yield* keys).toEqual([])
        expect(yield* Cache.counters).toMatchObject({ loads: 1, loadFailures: 0, encodeErrors: 1 })
        expect(lines).toHaveLength(1)
        expect(lines[0]).toContain('$.rows[1]["odd key"]')
        expect(lines[0]).toContain("user:*")
        expect(lines[0]).toMatch(/schema/)
        for (const hidden of [secret, "42", "1970", "1234567890"]) {
          expect(lines[0]).not.toContain(hidden)
        }
        yield* Cache.getOrCreate("user:42", creator.create)
        expect(creator.runs).toBe(2)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a refusal is counted each time, and logged once a pattern of keys", () =>
      Effect.gen(function* () {
        const refused = Effect.succeed(new Map())
        const [, lines] = yield* withLog(
          Effect.gen(function* () {
            for (const key of ["user:1", "user:2", "user:2", "order:1", "report-1", "report-2"]) {
              yield* Cache.getOrCreate(key, refused)
            }
            yield* Cache.set("user:3", new Map())
          })
        )
        expect((yield* Cache.counters).encodeErrors).toBe(7)
        expect(lines.map((line) => /value of (\S+)/.exec(line)?.[1])).toEqual([
          "user:*",
          "order:*",
          "report-#"
        ])
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a set that is refused leaves no old value", () =>
      Effect.gen(function* () {
        yield* Cache.set("k", "old")
        yield* Cache.set("k", new Date(0))
        expect(yield* Cache.get("k")).toEqual(Option.none())
        expect((yield* Cache.counters).encodeErrors).toBe(1)
      }).pipe(Effect.provide(layer()))
    )
  })
}

for (const { layer, name } of kinds) {
  it.effect(`on ${name}, a set with a ttl of zero leaves no old value`, () =>
    Effect.gen(function* () {
      yield* Cache.set("k", "old")
      yield* Cache.set("k", "new", { ttl: 0 })
      expect(yield* Cache.get("k")).toEqual(Option.none())
    }).pipe(Effect.provide(layer()))
  )
}
