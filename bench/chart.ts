/**
 * Bars beside each other, as SVG. Pure.
 *
 * Readable on white and on black: whoever shows the picture may be in another
 * mode than the system is, so its colours are between the two, and its ground is
 * transparent.
 */
export interface Bar {
  readonly label: string
  readonly value: number
  /** The quartiles, where there are some. */
  readonly range?: readonly [number, number] | undefined
  /** What is written beside it. */
  readonly figure: string
  readonly isOurs: boolean
}

const colours = { ours: "#2f81f7", others: "#8b949e", text: "#76808c", whisker: "#57606a" }

const width = 800
const labelsEnd = 270
/** As wide as the longest bar or whisker; figures have the rest. */
const barsWidth = 420
const row = 26
const thickness = 14
const top = 34

/** Horizontal, from zero, the shortest first. */
export const chart = (title: string, bars: ReadonlyArray<Bar>): string => {
  const longest = Math.max(...bars.flatMap(({ range, value }) => [value, ...(range ?? [])]))
  const scaled = (value: number): number => (longest > 0 ? (value / longest) * barsWidth : 0)
  const height = top + bars.length * row + 4
  const sorted = bars.toSorted((one, other) => one.value - other.value)
  const family = "font-family=\"-apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif\""
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ${family} font-size="13" fill="${colours.text}">`,
    `<title>${escaped(title)}</title>`,
    `<text x="0" y="16" font-weight="600">${escaped(title)}</text>`,
    ...sorted.map((bar, index) => drawn(bar, top + index * row, scaled)),
    "</svg>",
    ""
  ].join("\n")
}

const drawn = (
  { figure, isOurs, label, range, value }: Bar,
  y: number,
  scaled: (value: number) => number
): string => {
  const middle = y + row / 2
  const baseline = middle + 4.5
  const weight = isOurs ? ` font-weight="600"` : ""
  const colour = isOurs ? colours.ours : colours.others
  const at = (it: number): string => (labelsEnd + 10 + scaled(it)).toFixed(1)
  const end = at(Math.max(value, range?.[1] ?? 0))
  return [
    `<text x="${labelsEnd}" y="${baseline}" text-anchor="end"${weight}>${escaped(label)}</text>`,
    `<rect x="${at(0)}" y="${middle - thickness / 2}" width="${Math.max(scaled(value), 1).toFixed(1)}" height="${thickness}" rx="2" fill="${colour}"/>`,
    ...(range === undefined ? [] : [whisker(at(range[0]), at(range[1]), middle)]),
    `<text x="${end}" dx="8" y="${baseline}"${weight}>${escaped(figure)}</text>`
  ].join("\n")
}

const whisker = (from: string, to: string, middle: number): string =>
  `<path d="M${from} ${middle}H${to}M${from} ${middle - 4}v8M${to} ${middle - 4}v8" stroke="${colours.whisker}" stroke-width="1.75" fill="none"/>`

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
