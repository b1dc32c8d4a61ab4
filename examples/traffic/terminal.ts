// The chart, redrawn where it stands. Its size is asked for each time, so it follows the window's.
import { Effect } from "effect"
import { paint } from "../stampede/report.js"
import { type Ink, type Line, textOf } from "./canvas.js"
import { chart } from "./chart.js"
import type { View } from "./minute.js"
import * as Scenario from "./scenario.js"

const codes: Readonly<Record<Ink, number>> = {
  plain: 0,
  bold: 1,
  dim: 2,
  naive: 31,
  ours: 32,
  mark: 33
}

const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"
const eraseToEndOfLine = "\u001b[K"
const eraseBelow = "\u001b[J"
const up = (rows: number) => (rows > 0 ? `\u001b[${rows}A\r` : "\r")

const painted = (line: Line): string =>
  line.map(({ ink, text }) => (ink === "plain" ? text : paint(codes[ink], text))).join("")

const hidden = Effect.acquireRelease(
  Effect.sync(() => {
    const show = () => void process.stdout.write(showCursor)
    // Whatever ends the program: an exit leaves no time to close a scope.
    process.once("exit", show)
    process.stdout.write(hideCursor)
    return show
  }),
  (show) =>
    Effect.sync(() => {
      process.off("exit", show)
      show()
    })
)

export const makeTerminal = Effect.gen(function* () {
  yield* hidden
  let drawn: ReadonlyArray<Line> = []
  const view: View = {
    everyMillis: 100,
    show: (samples) =>
      Effect.sync(() => {
        const columns = process.stdout.columns || 80
        const rows = process.stdout.rows || 24
        // Narrower than it was, the window has wrapped the lines of then.
        const height = drawn.reduce(
          (sum, line) => sum + Math.max(1, Math.ceil(textOf(line).length / columns)),
          0
        )
        // What has left the window at its top cannot be drawn over.
        drawn = chart(samples, { columns, rows }, Scenario.seconds).slice(1 - rows)
        const text = drawn.map((line) => `${painted(line)}${eraseToEndOfLine}\n`).join("")
        process.stdout.write(`${up(Math.min(height, rows - 1))}${text}${eraseBelow}`)
      })
  }
  return view
})

export const isWatched = process.stdout.isTTY && process.env["TERM"] !== "dumb"
