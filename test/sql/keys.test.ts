import { expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { after, keyOf, placeOf, rangeOf } from "../../src/sql/keys.js"

const short = FastCheck.array(
  FastCheck.constantFrom("a", "b", "A", " ", "\0", "é", "\ud83d", "\ude00", "😀", "\u{10FFFF}"),
  { maxLength: 8 }
).map((parts) => parts.join(""))

/** About as long as an id may be, and as what is kept of a key. */
const key = FastCheck.tuple(
  FastCheck.constantFrom(0, 470, 475, 479, 480, 500, 505, 511, 512),
  short
).map(([length, end]) => "k".repeat(length) + end)

it("no two keys have the same id, and each comes back", () => {
  FastCheck.assert(
    FastCheck.property(key, key, (one, other) => {
      const { id, longKey } = placeOf(one)
      expect(id.length).toBeLessThanOrEqual(512)
      expect(longKey === null).toBe(id.length < 512)
      expect(keyOf(id, longKey)).toBe(one)
      expect(id.equals(placeOf(other).id)).toBe(one === other)
    }),
    { numRuns: 2_000 }
  )
})

it("whatever begins with a start is in its range", () => {
  FastCheck.assert(
    FastCheck.property(key, FastCheck.nat(), (it, length) => {
      // Between the halves of a pair, too.
      const start = it.slice(0, length % (it.length + 1))
      const { before, from } = rangeOf(start)
      const { id } = placeOf(it)
      expect(Buffer.compare(from, id)).toBeLessThanOrEqual(0)
      expect(Buffer.compare(id, before)).toBe(-1)
    }),
    { numRuns: 2_000 }
  )
})

it("nothing comes between an id and what comes after it", () => {
  expect(after(Buffer.from("ab"))).toEqual(Buffer.from("ab\0"))
})
