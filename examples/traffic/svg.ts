// Frames of text as an animated SVG that needs nothing besides itself: no script, no font, no link.
// Bars and rules are drawn, not written, so that they meet whatever the font is.
import type { Ink, Line, Span } from "./canvas.js"
import type { Size } from "./chart.js"

export type Frame = ReadonlyArray<Line>

export interface Film {
  readonly size: Size
  readonly frameMillis: number
  /** For so long the last one stays. */
  readonly holdMillis: number
  readonly title: string
  readonly description: string
}

const cell = { width: 8.4, height: 18 }
const margin = 16

/** Of its own, the same in a light page and in a dark one. */
const groundColour = "#0d1117"
const colours: Readonly<Record<Ink, string>> = {
  plain: "#e6edf3",
  bold: "#ffffff",
  dim: "#8b949e",
  naive: "#ff7b72",
  ours: "#56d364",
  mark: "#e3b341"
}

const round = (value: number) => String(Number(value.toFixed(2)))

const escaped = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const blocks = "▁▂▃▄▅▆▇█"

const { height, width } = cell
/** The axis is at the top of its cells: bars stand on it. */
const rules: Readonly<Record<string, string>> = {
  "─": `h${width}`,
  "┬": `h${width}m-${width / 2} 0v${height / 2}`,
  "└": `m${width / 2} 0h${width / 2}`,
  "│": `m${width / 2} 0v${height}`,
  "┤": `m0 ${height / 2}h${width / 2}m0 -${height / 2}v${height}`,
  "┊": `m${width / 2} 3v4m0 5v4`
}

/** Bars next to each other that are equally high are one. */
const bars = (text: string, x: number): string => {
  const tall = (height * (blocks.indexOf(text.charAt(0)) + 1)) / 8
  const wide = round(width * text.length)
  return `M${round(x)} ${round(height - tall)}h${wide}v${round(tall)}h-${wide}z`
}

const words = (text: string, x: number, ink: Ink) =>
  `<text class="${ink}" x="${round(x)}" y="13.5" textLength="${round(width * text.length)}">` +
  `${escaped(text)}</text>`

/** Words as they are written; what belongs together as one path. */
const drawSpan = ({ ink, text }: Span, column: number): string => {
  let filled = ""
  let ruled = ""
  let written = ""
  for (const { 0: piece, index } of text.matchAll(
    /([▁-█])\1*|[─│┊┤┬└]|[^\s▁-█─│┊┤┬└]+( [^\s▁-█─│┊┤┬└]+)*/gu
  )) {
    const x = (column + index) * width
    const rule = rules[piece]
    if (rule !== undefined) ruled += `M${round(x)} 0${rule}`
    else if (blocks.includes(piece.charAt(0))) filled += bars(piece, x)
    else written += words(piece, x, ink)
  }
  const paths = [
    ...(filled === "" ? [] : [`<path class="${ink}" d="${filled}"/>`]),
    ...(ruled === "" ? [] : [`<path class="${ink} rule" d="${ruled}"/>`])
  ]
  return paths.join("") + written
}

const drawLine = (line: Line): string => {
  let column = 0
  return line
    .map((span) => {
      const drawn = drawSpan(span, column)
      column += span.text.length
      return drawn
    })
    .join("")
}

const styleOf = ({ frameMillis, holdMillis }: Film, count: number) => {
  const length = (count - 1) * frameMillis + holdMillis
  // A trifle longer than it need be: each lies over the one before, and none is missing.
  const share = (100 * (frameMillis + 5)) / length
  const last = (100 * (count - 1) * frameMillis) / length
  const inks = Object.entries(colours).map(([ink, colour]) => `.${ink}{fill:${colour}}`)
  return `
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
${inks.join("")}
.bold{font-weight:700}
.rule{fill:none;stroke:${colours.dim}}
.frame{visibility:hidden;animation:frame ${length}ms step-end infinite}
.last{animation:last ${length}ms step-end infinite}
@keyframes frame{0%{visibility:visible}${share.toFixed(4)}%{visibility:hidden}}
@keyframes last{0%{visibility:hidden}${last.toFixed(4)}%{visibility:visible}}
@media (prefers-reduced-motion:reduce){.frame,.last{animation:none}}
`
}

/** Where nothing moves, the last frame is seen. */
export const svg = (frames: ReadonlyArray<Frame>, film: Film): string => {
  const { description, size, title } = film
  const names = new Map<string, string>()
  const nameOf = (drawn: string) => {
    const name = names.get(drawn) ?? `l${names.size.toString(36)}`
    names.set(drawn, name)
    return name
  }
  const drawn = frames.map((frame) => frame.map(drawLine))
  const isStill = (row: number) => drawn.every((lines) => lines[row] === drawn[0]?.[row])
  const use = (line: string, row: number) =>
    line === "" ? "" : `<use href="#${nameOf(line)}" y="${row * height}"/>`

  const still = (drawn[0] ?? []).map((line, row) => (isStill(row) ? use(line, row) : "")).join("")
  const ground = `<use href="#ground"/>`
  const moving = drawn.map((lines, index) => {
    const uses = lines.map((line, row) => (isStill(row) ? "" : use(line, row))).join("")
    return index === drawn.length - 1
      ? `<g class="last">${ground}${uses}</g>`
      : `<g class="frame" style="animation-delay:${index * film.frameMillis}ms">${ground}${uses}</g>`
  })
  const definitions = [...names].map(([line, name]) => `<g id="${name}">${line}</g>`)

  const [wide, high] = [size.columns * width + 2 * margin, size.rows * height + 2 * margin].map(
    round
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${wide} ${high}" \
width="${wide}" height="${high}" role="img" aria-labelledby="title description">
<title id="title">${escaped(title)}</title>
<desc id="description">${escaped(description)}</desc>
<style>${styleOf(film, frames.length)}</style>
<defs>
<rect id="ground" width="${round(size.columns * width)}" height="${size.rows * height}" fill="${groundColour}"/>
${definitions.join("\n")}
</defs>
<rect width="100%" height="100%" rx="8" fill="${groundColour}"/>
<g transform="translate(${margin} ${margin})">
${moving.join("\n")}
${still}
</g>
</svg>
`
}
