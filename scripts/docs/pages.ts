/** The pages, and what each says of itself. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

export const read = (file: string): string => Fs.readFileSync(Path.join(root, file), "utf8")
export const exists = (file: string): boolean => Fs.existsSync(Path.join(root, file))

/** In which they are read: each leads to the next. */
export const pages = [
  "docs/why.md",
  "docs/quickstart.md",
  "docs/regions-and-schemas.md",
  "docs/freshness.md",
  "docs/choosing-a-backend.md",
  "docs/several-processes.md",
  "docs/testing.md",
  "docs/when-redis-dies.md",
  "docs/circuit-breaker.md",
  "docs/reliability.md",
  "docs/operating.md",
  "docs/locks.md",
  "docs/storage.md",
  "docs/migrating/README.md",
  "docs/comparison.md",
  "docs/how-it-works.md",
  "docs/what-is-not-promised.md",
  "docs/errors-and-log-lines.md",
  "docs/troubleshooting.md"
]

/** Where the last of them leads. */
export const reference = "docs/api/README.md"

/** All that is written by hand: the front page, the pages in order, and the rest. */
export const documents = (): ReadonlyArray<string> => {
  const inDocs = Fs.readdirSync(Path.join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((file) => `docs/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(".md") && !file.startsWith("docs/api/"))
  return [...new Set(["README.md", ...pages, ...inDocs.toSorted()])]
}

/** A page begins with its title, and with a sentence of what it is for. */
export const introductionOf = (
  file: string
): { readonly title: string; readonly about: string } => {
  const [, title, about] = /^# (.+)\n\n((?:.+\n)+)/.exec(read(file)) ?? []
  const [sentence] = /^.*?\.(?=\s|$)/.exec(about?.replace(/\s+/g, " ") ?? "") ?? []
  if (title === undefined || sentence === undefined) {
    throw new Error(`${file} does not begin with a title and a sentence of what it is for`)
  }
  // A link would lead from that page, not from where the sentence is quoted.
  return { title, about: sentence.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1") }
}
