import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { escapeGlob, globMatcher, globStart, widenedGlob } from "../../src/policy/glob.js"
import { naive } from "./naiveGlob.js"

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

  it("says what all that it matches begins with", () => {
    let long = 0
    const letters = ["a", "b", "]", "-", "\\", "^", "😀", "\ud83d", "\ude00"]
    FastCheck.assert(
      FastCheck.property(
        from([...special, ...letters], 7),
        from(letters, 5),
        from(letters, 4),
        (pattern, text, escaped) => {
          // Half a pair in the pattern may be joined by what follows it, in the text as well.
          for (const one of [pattern, escapeGlob(escaped) + pattern]) {
            const start = globStart(one)
            for (const other of [text, escaped + text, start + text, start]) {
              if (!globMatcher(one)(other)) continue
              if (start.length > 1) long++
              expect(other.startsWith(start), JSON.stringify([one, other, start])).toBe(true)
            }
          }
        }
      ),
      { numRuns: 20_000 }
    )
    expect(long).toBeGreaterThan(1_000)
  })

  it.each([
    ["", ""],
    ["*", ""],
    ["?a", ""],
    ["[a]b", ""],
    ["user:*", "user:"],
    ["user:42", "user:42"],
    ["a\\*b*c", "a*b"],
    ["a\\", "a\\"],
    ["a]b?", "a]b"],
    ["\\😀*", "😀"]
  ])("%s begins where it can", (pattern, start) => {
    expect(globStart(pattern)).toBe(start)
  })
})

describe("a pattern for a server to look by", () => {
  const asItIs = (text: string) => text

  it("has literals, and at most three single stars", () => {
    const wide = (pattern: string) => widenedGlob(pattern, asItIs)
    expect(wide("user:42")).toBe("user:42")
    expect(wide("user:*")).toBe("user:*")
    expect(wide("a?c[d-f]g")).toBe("a*c*g")
    expect(wide("**")).toBe("*")
    expect(wide("a*?[x]**b")).toBe("a*b")
    expect(wide("a*b*c*d*e")).toBe("a*b*c*")
    expect(wide("\\*a\\?*\\[")).toBe("\\*a\\?*\\[")
    expect(wide("[")).toBe("*")
    expect(wide("a\\")).toBe("a\\\\")
  })

  it("leaves out half of a character, the other half of which may follow", () => {
    expect(widenedGlob("a\ud83d*b", asItIs)).toBe("a*b")
    expect(widenedGlob("a\ud83d", asItIs)).toBe("a\ud83d")
    expect(widenedGlob("a\u{1f600}*", asItIs)).toBe("a\u{1f600}*")
  })

  it("matches whatever the pattern matches", () => {
    const piece = FastCheck.constantFrom("a", "b", "*", "?", "[ab]", "[^a]", "\\*", "é", "[", "\\")
    const pattern = FastCheck.array(piece, { maxLength: 8 }).map((all) => all.join(""))
    const text = FastCheck.array(FastCheck.constantFrom("a", "b", "*", "é", "\\", "["), {
      maxLength: 8
    }).map((all) => all.join(""))
    FastCheck.assert(
      FastCheck.property(pattern, text, (pattern, text) => {
        if (!globMatcher(pattern)(text)) return
        expect(globMatcher(widenedGlob(pattern, asItIs))(text)).toBe(true)
      }),
      { numRuns: 5_000 }
    )
  })
})
