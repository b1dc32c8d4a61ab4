// The traffic so far as text: the queries per second of both caches, to the same scale, over the
// minute, with what happened below.
//
//   queries per second                                   0:37, 14,802 requests
//         ■ Redis with a ttl: 1,234 queries
//    100 ┤  ▆
//        │  █           ▂
//         ■ RedisCache: 123 queries
//        │  ▁           ▁
//      0 └┬───────────┬───────────┬───
//         0:00        0:10        0:20
//                       ▲ expiry
//
//   share of load saved: 90% (1,234 -> 123 queries)
import { type Canvas, type Line, makeCanvas } from "./canvas.js"
import { count, type Mark, type Query, type Samples } from "./samples.js"
import { clock, eventOf, nameOf, number, sum } from "./words.js"

export interface Size {
  readonly columns: number
  readonly rows: number
}

const blocks = " ▁▂▃▄▅▆▇█"
const signs: Readonly<Record<Mark["event"], string>> = {
  expiry: "▲",
  invalidation: "◆",
  kill: "×",
  takeover: "●"
}
const labelRows = 3
/** All that is not bars. */
const otherRows = 7 + labelRows
const axisColumn = 6

/** Queries per second, a column each. */
const rates = ({ queries }: Samples, cache: Query["cache"], seconds: number, columns: number) => {
  const all = Array.from({ length: columns }, () => 0)
  for (const query of queries) {
    // One who comes late, on a busy machine, is counted and not drawn.
    if (query.cache !== cache || query.at >= seconds) continue
    const column = columnOf(query.at, seconds, columns)
    all[column] = (all[column] ?? 0) + columns / seconds
  }
  return all
}

const columnOf = (at: number, seconds: number, columns: number) =>
  Math.max(0, Math.min(columns - 1, Math.floor((at / seconds) * columns)))

/** The smallest round number that is enough. */
const roundUp = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 2.5, 3, 4, 5, 7.5, 10].find((round) => round * power >= value) ?? 10)
}

const drawBars = (
  canvas: Canvas,
  top: number,
  rows: number,
  bars: ReadonlyArray<number>,
  perRow: number,
  ink: Query["cache"]
) => {
  for (let row = 0; row < rows; row++) {
    const below = rows - 1 - row
    const isLabelled = (below + 1) % 2 === 0
    const label = isLabelled ? number((below + 1) * perRow) : ""
    canvas.put(top + row, 0, `${label.padStart(axisColumn - 1)} ${isLabelled ? "┤" : "│"}`, "dim")
    for (const [column, rate] of bars.entries()) {
      // The least there is can be seen.
      const eighths = Math.max(rate > 0 ? 1 : 0, Math.round((rate / perRow) * 8)) - below * 8
      const block = blocks[Math.max(0, Math.min(8, eighths))] ?? " "
      if (block !== " ") canvas.put(top + row, axisColumn + 1 + column, block, ink)
    }
  }
}

const drawAxis = (canvas: Canvas, row: number, seconds: number, columns: number) => {
  canvas.put(row, 0, `${"0".padStart(axisColumn - 1)} └${"─".repeat(columns)}`, "dim")
  for (let at = 0; at <= seconds; at += 10) {
    const column = axisColumn + 1 + columnOf(at, seconds, columns)
    const label = clock(at)
    canvas.put(row, column, "┬", "dim")
    canvas.put(row + 1, Math.min(column, axisColumn + 1 + columns - label.length), label, "dim")
  }
}

/** Below its column, in the first row with room for it, with a line that leads there. */
const drawLabel = (canvas: Canvas, top: number, mark: Mark, column: number, end: number) => {
  const label = `${signs[mark.event]} ${eventOf[mark.event]}`
  const sign = signs[mark.event]
  for (const text of [label, sign]) {
    const isReversed = column + text.length > end
    const from = isReversed ? column - text.length + 1 : column
    for (let row = top; row < top + labelRows; row++) {
      if (!canvas.isBlank(row, from - 1, from + text.length + 1)) continue
      canvas.put(row, from, isReversed ? [...text.slice(2), " ", sign].join("") : text, "mark")
      for (let above = top; above < row; above++) {
        if (canvas.isBlank(above, column - 1, column + 2)) canvas.put(above, column, "┊", "dim")
      }
      return
    }
  }
}

export const chart = (samples: Samples, size: Size, seconds: number): ReadonlyArray<Line> => {
  // The last column stays empty: some terminals wrap what is written there.
  const plot = Math.max(10, size.columns - axisColumn - 3)
  const barRows = Math.min(24, Math.max(4, size.rows - 1 - otherRows))
  const oursRows = Math.floor(barRows / 4)
  const naiveRows = barRows - oursRows
  const canvas = makeCanvas(size.columns - 1, barRows + otherRows)
  const bars = {
    naive: rates(samples, "naive", seconds, plot),
    ours: rates(samples, "ours", seconds, plot)
  }
  const perRow = roundUp(Math.max(10, ...bars.naive, ...bars.ours) / naiveRows)

  const marks = samples.marks
    .filter(({ at }) => at < seconds)
    .map((mark) => ({ mark, column: axisColumn + 1 + columnOf(mark.at, seconds, plot) }))
  for (const { column } of marks) {
    for (let row = 2; row < barRows + 3; row++) canvas.put(row, column, "┊", "dim")
  }

  let row = 0
  const place = `${clock(samples.now)}, ${number(samples.requests)} requests`
  canvas.put(row, 1, "queries per second")
  canvas.put(row, axisColumn + 1 + plot - place.length, place)
  row++
  for (const [cache, rows] of [["naive", naiveRows] as const, ["ours", oursRows] as const]) {
    canvas.put(row, axisColumn + 1, "■ ", cache)
    canvas.put(row, axisColumn + 3, `${nameOf[cache]}: ${number(count(samples, cache))} queries `)
    row++
    drawBars(canvas, row, rows, bars[cache], perRow, cache)
    row += rows
  }
  drawAxis(canvas, row, seconds, plot)
  for (const { column, mark } of marks) {
    drawLabel(canvas, row + 2, mark, column, axisColumn + 1 + plot)
  }
  canvas.put(row + 2 + labelRows + 1, 1, sum(samples), "bold")
  return canvas.lines()
}
