// Results as text: a table, a bar each, and what it comes to.

export interface Result {
  readonly name: string
  readonly requests: number
  readonly queries: number
  readonly millis: number
}

const isColoured = process.stdout.isTTY && process.env["NO_COLOR"] === undefined
export const paint = (code: number, text: string): string =>
  isColoured ? `\u001b[${code}m${text}\u001b[0m` : text

const row = (name: string, ...cells: ReadonlyArray<string>) =>
  `  ${name.padEnd(20)}${cells.map((cell) => cell.padStart(12)).join("")}`

const bar = ({ name, queries }: Result, most: number, colour: number) => {
  const length = (queries / most) * 48
  const blocks = length < 1 ? "▏" : "█".repeat(Math.round(length))
  return `  ${name.padEnd(20)}${paint(colour, blocks)} ${queries}`
}

/** From the worst to the best. */
export const report = (results: readonly [Result, ...ReadonlyArray<Result>]): string => {
  const before = results[0].queries
  const after = results.at(-1)?.queries ?? before
  // Rounded down: 2000 to 1 is not all of it.
  const cut = Math.floor(10_000 * (1 - after / before)) / 100
  const colours = [31, ...results.slice(2).map(() => 33), 32]
  return [
    row("", "requests", "queries", "time"),
    ...results.map(({ millis, name, queries, requests }) =>
      row(name, `${requests}`, `${queries}`, `${millis} ms`)
    ),
    "",
    ...results.map((result, index) => bar(result, before, colours[index] ?? 32)),
    "",
    paint(1, `cut DB load by ${cut}% (${before} -> ${after} queries)`)
  ].join("\n")
}
