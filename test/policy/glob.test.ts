import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { escapeGlob, globMatcher } from "../../src/policy/glob.js"

/** Tries everything a star could be, one code point of pattern at a time. */
const naive = (pattern: string, text: string): boolean => {
  const points = Array.from(pattern)
  const within = (one: string, low: string, high: string): boolean => {
    const [x, a, b] = [one, low, high].map((it) => it.codePointAt(0)!) as [number, number, number]
    return (a <= x && x <= b) || (b <= x && x <= a)
  }
  const from = (at: number, rest: ReadonlyArray<string>): boolean => {
    if (at === points.length) return rest.length === 0
    if (points[at] === "*") {
      return rest.some((_, cut) => from(at + 1, rest.slice(cut))) || from(at + 1, [])
    }
    const [one, ...others] = rest
    if (one === undefined) return false
    if (points[at] === "?") return from(at + 1, others)
    if (points[at] === "\\" && at + 1 < points.length) {
      return points[at + 1] === one && from(at + 2, others)
    }
    if (points[at] !== "[") return points[at] === one && from(at + 1, others)
    let inside = at + 1
    const isNegated = points[inside] === "^"
    if (isNegated) inside++
    let isIn = false
    while (inside < points.length && points[inside] !== "]") {
      const left = points.length - inside
      if (points[inside] === "\\" && left >= 2) {
        isIn ||= points[inside + 1] === one
        inside += 2
      } else if (left >= 3 && points[inside + 1] === "-") {
        isIn ||= within(one, points[inside]!, points[inside + 2]!)
        inside += 3
      } else {
        isIn ||= points[inside] === one
        inside += 1
      }
    }
    return isIn !== isNegated && from(Math.min(inside + 1, points.length), others)
  }
  return from(0, Array.from(text))
}

const from = (letters: ReadonlyArray<string>, maxLength: number) =>
  FastCheck.array(FastCheck.constantFrom(...letters), { maxLength }).map((it) => it.join(""))

const special = ["*", "*", "?", "[", "[", "]", "^", "-", "\\", "!"]

describe("a glob pattern", () => {
  it("matches what an exhaustive matcher matches", () => {
    let matched = 0
    FastCheck.assert(
      FastCheck.property(
        from([...special, "a", "b", "c", "😀", "\ude00"], 9),
        from(["a", "b", "c", "]", "-", "\\", "^", "!", "😀", "\ud83d"], 7),
        (pattern, text) => {
          const isMatch = globMatcher(pattern)(text)
          if (isMatch) matched++
          expect(isMatch).toBe(naive(pattern, text))
        }
      ),
      { numRuns: 30_000 }
    )
    expect(matched).toBeGreaterThan(1_000)
  })

  // All but the lines with a 😀 were compared with KEYS on a Redis 7.0 server.
  it.each<[pattern: string, matches: ReadonlyArray<string>, fails: ReadonlyArray<string>]>([
    ["*", ["", "a", "a:b"], []],
    ["user:*", ["user:", "user:1:x"], ["use", "xuser:1", "User:1"]],
    ["h?llo", ["hello", "h😀llo"], ["hllo", "heello"]],
    ["h[ae]llo", ["hello", "hallo"], ["hillo"]],
    ["h[a-c]llo", ["hallo", "hcllo"], ["hdllo", "h-llo"]],
    ["h[c-a]llo", ["hallo", "hbllo"], ["hdllo"]],
    ["h[^e]llo", ["hallo", "h^llo"], ["hello"]],
    ["h[!e]llo", ["hello", "h!llo"], ["hallo"]],
    ["a\\*b", ["a*b"], ["axb", "a\\*b"]],
    ["a\\", ["a\\"], ["a"]],
    ["[a\\]b]", ["a", "]", "b"], ["\\", "a]"]],
    ["[a\\-c]", ["a", "-", "c"], ["b", "\\"]],
    ["[abc", ["a", "b", "c"], ["d", "[abc", "ab"]],
    ["x[a-", ["xa", "x-"], ["xb", "x"]],
    ["x[a\\", ["xa", "x\\"], ["x"]],
    ["x[", [], ["x", "x[", "xy"]],
    ["x[^", ["xy", "x^"], ["x"]],
    ["[]", [], ["", "a", "]"]],
    ["[]a]", [], ["a", "]", "a]"]],
    ["[^]a", ["ba", "]a"], ["a"]],
    ["[a-]x", ["^", "a", "]", "x"], ["ax", "b"]],
    ["a]", ["a]"], ["a"]],
    ["^a-b", ["^a-b"], ["a-b"]],
    ["[😀-😃]", ["😁"], ["😄", "\ud83d"]],
    ["*\ude00", ["a\ude00"], ["😀"]]
  ])("%s means what it means to Redis", (pattern, matches, fails) => {
    for (const text of matches) expect(globMatcher(pattern)(text), text).toBe(true)
    for (const text of fails) expect(globMatcher(pattern)(text), text).toBe(false)
  })

  it("never takes exponential time", () => {
    const began = performance.now()
    expect(globMatcher(`${"a*".repeat(1_000)}b`)("a".repeat(5_000))).toBe(false)
    expect(globMatcher(`${"*?".repeat(1_000)}b`)("a".repeat(5_000))).toBe(false)
    expect(globMatcher(`${"*[^b]".repeat(1_000)}`)("a".repeat(5_000))).toBe(true)
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  it("made by escaping matches its text alone", () => {
    const text = from([...special, "a", "{", "}", ",", "\0", "😀", "\n"], 12)
    FastCheck.assert(
      FastCheck.property(text, text, (one, other) => {
        const matches = globMatcher(escapeGlob(one))
        expect(matches(one)).toBe(true)
        expect(matches(other)).toBe(one === other)
        expect(globMatcher(`${escapeGlob(one)}*`)(one + other)).toBe(true)
      })
    )
  })
})
