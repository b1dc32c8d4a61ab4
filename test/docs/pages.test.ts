import { describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path/posix"
import { embed } from "../../scripts/docs/embed.js"
import { documents, exists, pages, read, reference, root } from "../../scripts/docs/pages.js"

// The pages hang together: links lead somewhere, code is from `examples/`, each leads to the next.

const filesIn = (folder: string, extension: string): ReadonlyArray<string> =>
  Fs.readdirSync(Path.join(root, folder), { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(extension))

const written = documents()
const linking = [
  ...written,
  ...filesIn("docs/api", ".md"),
  "llms.txt",
  "CHANGELOG.md",
  "SECURITY.md"
]

/** A page without its code: what looks like a link there is none. */
const proseOf = (page: string): string =>
  page.replace(/^```[^]*?^```$/gm, "").replace(/`[^`\n]*`/g, "")

/** As GitHub makes them of headings. */
const anchorsOf = (page: string): ReadonlySet<string> => {
  const anchors = new Set(Array.from(page.matchAll(/<a id="([^"]+)">/g), ([, id = ""]) => id))
  const times = new Map<string, number>()
  for (const [, heading = ""] of page.replace(/^```[^]*?^```$/gm, "").matchAll(/^#+ (.*)$/gm)) {
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-")
    const before = times.get(slug) ?? 0
    times.set(slug, before + 1)
    anchors.add(before === 0 ? slug : `${slug}-${before}`)
  }
  return anchors
}

/** What `npm run demo` runs is shown by its recording. */
const demos = /^examples\/(stampede|traffic)\b/

const linksOf = (page: string): ReadonlyArray<string> =>
  Array.from(proseOf(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g), ([, to = ""]) => to)

const targetOf = (file: string, link: string): string => {
  const [path = ""] = link.split("#")
  return path === "" ? file : Path.join(Path.dirname(file), decodeURI(path)).replace(/\/$/, "")
}

const isBroken = (file: string, link: string): boolean => {
  const target = targetOf(file, link)
  if (!exists(target)) return true
  const anchor = link.split("#")[1]
  return anchor !== undefined && !anchorsOf(read(target)).has(decodeURI(anchor))
}

const brokenIn = (file: string, text: string): ReadonlyArray<string> =>
  linksOf(text)
    .filter((link) => isBroken(file, link))
    .map((link) => `${file}: ${link}`)

describe("the pages", () => {
  it("link to files and headings that are there", () => {
    expect(linking.flatMap((file) => linksOf(read(file))).length).toBeGreaterThan(100)
    expect(linking.flatMap((file) => brokenIn(file, read(file)))).toEqual([])
  })

  it.each(["gone.md", "../nowhere.md", "#no-such-heading", "docs/why.md#no-such-heading"])(
    "would not link to %s unnoticed",
    (link) => {
      expect(brokenIn("README.md", `See [there](${link}).`)).toEqual([`README.md: ${link}`])
    }
  )

  it.each(written)("%s shows code from the examples alone", (file) => {
    const page = read(file)
    const shown = Array.from(page.matchAll(/^```(?:ts|js|tsx)\n/gm)).length
    const embedded = Array.from(
      page.matchAll(/^<!-- examples\/\S+ -->\n```(?:ts|js|tsx)\n/gm)
    ).length
    expect(shown).toBe(embedded)
    expect(embed(page, file)).toBe(page)
  })

  it("would notice code that its example has not", () => {
    const page = "<!-- examples/one-query.txt -->\n```text\n2 queries\n```\n"
    expect(embed(page, "README.md")).toBe(
      page.replace("2 queries", "1000 requests, 1 query: Marmalade")
    )
  })

  it("lead from one to the next, and the last to the reference", () => {
    const seen: Array<string> = []
    let page = pages[0]
    while (page !== undefined && page !== reference && !seen.includes(page)) {
      seen.push(page)
      const link = /\nNext: \[.*\]\((.*)\)\n$/.exec(read(page))?.[1]
      page = link && targetOf(page, link)
    }
    expect(seen).toEqual(pages)
    expect(page).toBe(reference)
  })

  it("are all in order: none is in no list", () => {
    const elsewhere = ["README.md", "docs/decisions.md"]
    expect(
      written.filter(
        (file) =>
          !pages.includes(file) && !elsewhere.includes(file) && !file.startsWith("docs/migrating/")
      )
    ).toEqual([])
  })

  it("show or link to every example", () => {
    const used = written.flatMap((file) => [
      ...linksOf(read(file)).map((link) => targetOf(file, link)),
      ...Array.from(read(file).matchAll(/^<!-- (examples\/[^\s#]+)/gm), ([, it = ""]) => it)
    ])
    const isUsed = (example: string): boolean =>
      used.some((it) => it !== "examples" && (example === it || example.startsWith(`${it}/`)))
    const unseen = filesIn("examples", ".ts").filter((example) => !demos.test(example))
    expect(unseen.filter((example) => !isUsed(example))).toEqual([])
  })

  it("have lines of at most 100 columns, but for tables and links", () => {
    const isLong = (line: string): boolean =>
      line.length > 100 && !line.startsWith("|") && !line.includes("](")
    expect(
      pages.flatMap((file) =>
        proseOf(read(file))
          .split("\n")
          .filter(isLong)
          .map((line) => `${file}: ${line}`)
      )
    ).toEqual([])
  })
})
