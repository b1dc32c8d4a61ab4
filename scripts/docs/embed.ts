/**
 * Code is written once, in `examples/`, and shown on the pages below a marker:
 *
 *     <!-- examples/first-steps.ts -->            the whole file
 *     <!-- examples/first-steps.ts#program -->    from `// #region program` to `// #endregion`
 *     <!-- examples/first-steps.txt -->           what it prints
 *
 * The block below a marker is replaced by what its file says now. So are lists of pages, between
 * `<!-- pages -->` and `<!-- end of pages -->`, and the last line of a page, which leads to the next.
 */
import * as Path from "node:path/posix"
import { introductionOf, pages, read, reference } from "./pages.js"

const languages: Readonly<Record<string, string>> = { ".txt": "text", ".mjs": "js" }

const marker = /^(<!-- (examples\/[^\s#]+)(?:#(\S+))? -->\n)(?:\n*```[^]*?^```\n)?/gm

const list = /^(<!-- pages -->\n)[^]*?^(<!-- end of pages -->\n)/gm

/** The page as its examples, and the other pages, have it. */
export const embed = (page: string, file: string): string =>
  lead(page, file)
    .replace(marker, (_, line: string, example: string, region: string | undefined) => {
      const extension = Path.extname(example)
      const language = languages[extension] ?? extension.slice(1)
      return `${line}\`\`\`${language}\n${excerpt(example, region)}\`\`\`\n`
    })
    .replace(list, (_, start: string, end: string) => `${start}\n${listOfPages(file)}\n${end}`)

const lead = (page: string, file: string): string => {
  const at = pages.indexOf(file)
  if (at < 0) return page
  const next = pages[at + 1]
  const link =
    next === undefined
      ? `[Reference](${linkTo(reference, file)})`
      : `[${introductionOf(next).title}](${linkTo(next, file)})`
  return `${page.replace(/\n+Next: .*\n*$/, "").trimEnd()}\n\nNext: ${link}\n`
}

const linkTo = (page: string, from: string): string => Path.relative(Path.dirname(from), page)

const excerpt = (example: string, region: string | undefined): string => {
  const text = read(example)
  const shown = region === undefined ? text : regionOf(text, region)
  if (shown === undefined) throw new Error(`${example} has no region ${region}`)
  return unindented(withoutRegions(shown)).trim() + "\n"
}

const regionOf = (text: string, name: string): string | undefined => {
  const [, found] =
    new RegExp(`^ *// #region ${name}\n([^]*?)^ *// #endregion`, "m").exec(text) ?? []
  return found
}

const withoutRegions = (text: string): string => text.replace(/^ *\/\/ #(end)?region.*\n/gm, "")

const unindented = (text: string): string => {
  const indents = Array.from(text.matchAll(/^( *)\S/gm), ([, indent = ""]) => indent.length)
  return text.replaceAll(new RegExp(`^ {${Math.min(...indents)}}`, "gm"), "")
}

const listOfPages = (file: string): string =>
  pages
    .map((page) => {
      const { about, title } = introductionOf(page)
      return `- [${title}](${linkTo(page, file)}): ${about}\n`
    })
    .join("")
