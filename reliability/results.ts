/** `npm run reliability:results`: the page, of what is kept of a run. */
import * as Fs from "node:fs"
import { fileURLToPath } from "node:url"
import type { Results } from "./figures.js"
import { embed } from "../scripts/docs/embed.js"
import { pageOf } from "./page.js"

const data = fileURLToPath(new URL("results.json", import.meta.url))
export const page = "docs/reliability.md"

export const read = (): Results => JSON.parse(Fs.readFileSync(data, "utf8"))

/** The whole page: what leads on is of the pages' order. */
export const textOf = (results: Results): string => embed(pageOf(results), page)

export const keep = (results: Results): void => {
  Fs.writeFileSync(data, `${JSON.stringify(results, null, 2)}\n`)
  Fs.writeFileSync(new URL(`../${page}`, import.meta.url), textOf(read()))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) keep(read())
