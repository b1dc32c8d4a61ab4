/**
 * `npm run docs`: writes what can be made from other files: the code on the pages, the lists of
 * pages, what leads from one to the next, and the reference in docs/api.
 *
 *     -- --check    writes nothing, and fails if any of them is not what would be written
 */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { parseArgs } from "node:util"
import { embed } from "./docs/embed.js"
import { documents, exists, read, root } from "./docs/pages.js"
import { writeReference } from "./docs/reference.js"

const { check = false } = parseArgs({ options: { check: { type: "boolean" } } }).values

const differing: Array<string> = []
const put = (file: string, text: string | undefined): void => {
  if (text === (exists(file) ? read(file) : undefined)) return
  differing.push(file)
  if (check) return
  const path = Path.join(root, file)
  if (text === undefined) return Fs.rmSync(path)
  Fs.mkdirSync(Path.dirname(path), { recursive: true })
  Fs.writeFileSync(path, text)
}

const filesIn = (folder: string): ReadonlyArray<string> =>
  Fs.existsSync(folder)
    ? Fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
        Fs.statSync(Path.join(folder, file)).isFile()
      )
    : []

const api = "docs/api"

for (const file of [...documents(), "llms.txt"]) put(file, embed(read(file), file))

const made = Fs.mkdtempSync(Path.join(Os.tmpdir(), "larder-api-"))
try {
  await writeReference(made)
  for (const file of new Set([...filesIn(made), ...filesIn(Path.join(root, api))])) {
    const path = Path.join(made, file)
    put(Path.join(api, file), Fs.existsSync(path) ? Fs.readFileSync(path, "utf8") : undefined)
  }
} finally {
  Fs.rmSync(made, { recursive: true })
}

for (const file of differing) console.log(check ? `not up to date: ${file}` : `written: ${file}`)
if (check && differing.length > 0) {
  console.error("Run `npm run docs`, and commit what it writes.")
  process.exitCode = 1
}
