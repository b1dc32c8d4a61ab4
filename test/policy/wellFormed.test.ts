import { expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { fromWellFormed, toWellFormed } from "../../src/policy/wellFormed.js"

const text = FastCheck.array(
  FastCheck.constantFrom("a", "\ud83d", "\ude00", "😀", "\u{10FFFF}", "d83d", "ffff", "\0", "é")
).map((parts) => parts.join(""))

it("any text has a form that is well-formed, and comes back from it", () => {
  FastCheck.assert(
    FastCheck.property(text, (it) => {
      const form = toWellFormed(it)
      expect(form.isWellFormed()).toBe(true)
      expect(fromWellFormed(form)).toBe(it)
    })
  )
})

it("what is well-formed, and without the noncharacter, stays as it is", () => {
  expect(toWellFormed("Grüße 😀")).toBe("Grüße 😀")
})
