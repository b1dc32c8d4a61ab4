/** A glob matcher that tries everything a star could be, one code point of pattern at a time. */
export const naive = (pattern: string, text: string): boolean => {
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
