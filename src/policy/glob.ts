/**
 * Glob patterns as Redis reads them.
 *
 * @since 0.1.0
 */

const star = "*"
type Token = typeof star | ((point: number) => boolean)

/**
 * Compiles a pattern of Redis's dialect to a test of whole texts.
 *
 * `*` is any text, `?` one code point, `[abc]`, `[a-c]`, `[^a]` one code point of
 * a class (`^` alone negates: `[!a]` is `!` or `a`), `\` takes the next one
 * literally. Case counts. Where Redis is odd, so is this: `[]` matches nothing,
 * `[^]` anything, the end of a range may be `]`, a range may run backwards, an
 * unclosed class ends with the pattern.
 *
 * Three differences: the server counts bytes, so its `?` is a part of an `é`; it
 * denies that `**` matches an empty text; and here no pattern is too abusive to
 * be answered. The time is at worst the product of both lengths.
 *
 * @since 0.1.0
 */
export const globMatcher = (pattern: string): ((text: string) => boolean) => {
  const tokens = parse(Array.from(pattern))
  return (text) => matches(tokens, text)
}

// Of all stars only the last one passed is ever taken back: whatever an earlier
// one could swallow besides, the last can swallow as well. Hence no exponent.
const matches = (tokens: ReadonlyArray<Token>, text: string): boolean => {
  let token = 0
  let at = 0
  let afterStar = -1
  let retryAt = 0
  while (at < text.length) {
    const expected = tokens[token]
    const point = text.codePointAt(at)!
    if (expected === star) {
      afterStar = ++token
      retryAt = at
    } else if (expected?.(point)) {
      token++
      at += width(point)
    } else if (afterStar >= 0) {
      token = afterStar
      retryAt += width(text.codePointAt(retryAt)!)
      at = retryAt
    } else {
      return false
    }
  }
  while (tokens[token] === star) token++
  return token === tokens.length
}

const width = (point: number): number => (point > 0xffff ? 2 : 1)

const pointOf = (character: string): number => character.codePointAt(0)!

const parse = (pattern: ReadonlyArray<string>): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!
    if (character === "*") {
      tokens.push(star)
    } else if (character === "?") {
      tokens.push(() => true)
    } else if (character === "[") {
      at = parseClass(pattern, at + 1, tokens)
    } else {
      // A backslash that ends the pattern stands for itself.
      const isEscape = character === "\\" && at + 1 < pattern.length
      const literal = pointOf(isEscape ? pattern[++at]! : character)
      tokens.push((point) => point === literal)
    }
  }
  return tokens
}

/** Adds the class whose inside begins at `from`, and returns where it ends. */
const parseClass = (pattern: ReadonlyArray<string>, from: number, tokens: Array<Token>): number => {
  const isNegated = pattern[from] === "^"
  const ranges: Array<readonly [low: number, high: number]> = []
  let at = isNegated ? from + 1 : from
  for (; at < pattern.length && pattern[at] !== "]"; at++) {
    const isEscape = pattern[at] === "\\" && at + 1 < pattern.length
    const isRange = !isEscape && pattern[at + 1] === "-" && at + 2 < pattern.length
    if (isEscape) at++
    const first = pointOf(pattern[at]!)
    if (isRange) at += 2
    const last = pointOf(pattern[at]!)
    ranges.push([Math.min(first, last), Math.max(first, last)])
  }
  tokens.push((point) => ranges.some(([low, high]) => low <= point && point <= high) !== isNegated)
  return at
}

/**
 * The pattern that matches this text alone, here and on a Redis server.
 *
 * @since 0.1.0
 */
export const escapeGlob = (text: string): string => text.replace(/[*?[\]\\]/g, "\\$&")

/**
 * What every text begins with that this pattern matches: where a store may begin to
 * look, and where it may stop.
 *
 * @since 0.1.0
 */
export const globStart = (pattern: string): string => {
  let start = ""
  const characters = Array.from(pattern)
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!
    if (character === "*" || character === "?" || character === "[") break
    const isEscape = character === "\\" && at + 1 < characters.length
    start += isEscape ? characters[++at]! : character
  }
  return start
}

/**
 * A pattern for a server to look by, which matches at least what this one does: literals
 * and single `*`. What else there is becomes one `*`, for a Redis server counts bytes where
 * `?` and classes mean code points, and denies that `**` matches an empty text. After the
 * third `*` all is left to whoever looks again: to older servers many are a day's work.
 *
 * @param literal how a server knows a text; half a surrogate pair at its end, whose other
 *   half what follows could begin with, is left out
 *
 * @since 0.1.0
 */
export const widenedGlob = (pattern: string, literal: (text: string) => string): string => {
  let wide = ""
  let text = ""
  let stars = 0
  const write = (isLast: boolean): void => {
    wide += escapeGlob(literal(isLast ? text : text.replace(/[\ud800-\udbff]$/, "")))
    text = ""
  }
  const points = Array.from(pattern)
  for (let at = 0; at < points.length; at++) {
    const point = points[at]!
    if (!special.has(point)) {
      text += point === "\\" && at + 1 < points.length ? points[++at]! : point
      continue
    }
    if (point === "[") at = parseClass(points, at + 1, [])
    if (text === "" && stars > 0) continue
    write(false)
    wide += star
    if (++stars === maxStars) return wide
  }
  write(true)
  return wide
}

const special = /* @__PURE__ */ new Set(["*", "?", "["])
const maxStars = 3
