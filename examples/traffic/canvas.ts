// Text by rows and columns, and what it is drawn with. How an ink looks is the screen's business.

export type Ink = "plain" | "bold" | "dim" | "naive" | "ours" | "mark"

export interface Span {
  readonly text: string
  readonly ink: Ink
}

export type Line = ReadonlyArray<Span>

interface Cell {
  readonly character: string
  readonly ink: Ink
}

const blank: Cell = { character: " ", ink: "plain" }

const spansOf = (cells: ReadonlyArray<Cell>): Line => {
  const end = cells.findLastIndex(({ character }) => character !== " ") + 1
  return cells.slice(0, end).reduce<ReadonlyArray<Span>>((spans, { character, ink }) => {
    const last = spans.at(-1)
    if (last === undefined || (last.ink !== ink && character !== " ")) {
      return [...spans, { text: character, ink }]
    }
    return [...spans.slice(0, -1), { text: last.text + character, ink: last.ink }]
  }, [])
}

export const makeCanvas = (columns: number, rows: number) => {
  const cells = Array.from({ length: rows }, () => Array.from({ length: columns }, () => blank))
  const isBlank = (row: number, from: number, to = from + 1) =>
    cells[row]?.slice(Math.max(0, from), to).every(({ character }) => character === " ") ?? false
  return {
    /** What does not fit is cut off. */
    put: (row: number, column: number, text: string, ink: Ink = "plain") => {
      for (const [index, character] of [...text].entries()) {
        const at = column + index
        const line = cells[row]
        if (line !== undefined && at >= 0 && at < columns) line[at] = { character, ink }
      }
    },
    isBlank,
    lines: (): ReadonlyArray<Line> => cells.map(spansOf)
  }
}

export type Canvas = ReturnType<typeof makeCanvas>

export const textOf = (line: Line): string => line.map(({ text }) => text).join("")
