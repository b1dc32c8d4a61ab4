/** `npm run bench:results`: what is kept of a full run. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type { Results } from "./figures.js"
import { filesOf } from "./markdown.js"

const here = fileURLToPath(new URL(".", import.meta.url))
const data = Path.join(here, "results.json")

export const read = (): Results => JSON.parse(Fs.readFileSync(data, "utf8"))

export const keep = (results: Results): void => {
  Fs.writeFileSync(data, `${JSON.stringify(results, null, 2)}\n`)
  Fs.rmSync(Path.join(here, "charts"), { recursive: true, force: true })
  Fs.mkdirSync(Path.join(here, "charts"))
  for (const [path, text] of Object.entries(filesOf(read()))) {
    Fs.writeFileSync(Path.join(here, path), text)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) keep(read())
