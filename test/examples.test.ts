import { describe, expect, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

// The examples as a user runs them, and what they print.

const root = fileURLToPath(new URL("..", import.meta.url))

/** Of the surroundings nothing but what a program needs to start: no settings, no colours. */
const { PATH, SystemRoot } = process.env
const env = { PATH, SystemRoot }

const outputOf = async (file: string): Promise<string> => {
  const args = ["--import", "tsx", Path.join("examples", file)]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env })
  return stdout
}

const expected = {
  "first-steps.ts": `
100 requests at once: 1 query
one more: 1 query
invalidated (true), asked again: 2 queries
user 2 is set by hand: 2 queries
user 3 before: None
2 hits, 103 misses, of which 99 waited for another
3 loads, now cached: user:1, user:2, user:3
`,
  "region-with-schema.ts": `
since 1842-10-01T00:00:00.000Z, a Date: true
UserNotFound, UserNotFound: 2 queries
UserNotFound once more: 3 queries
version 1: Some
version 2: None
`,
  "stale-while-revalidate.ts": `
nothing cached : edition 1, in 2 s
fresh          : edition 1, in 0 s
stale          : edition 1, in 0 s
being rebuilt  : edition 1, in 0 s
rebuilt        : edition 2, in 0 s
expired        : edition 3, in 2 s
2 misses, 2 hits, 2 stale: 3 loads
`,
  "own-backend/main.ts": `
2 processes: report 1, report 1, report 1, report 1, report 1, report 1
queries: 1
`,
  "swapping-layers/main.ts": `
total: 7
`
}

/** Run by another of these: they print nothing themselves. */
const parts = ["own-backend/MapBackend.ts", "swapping-layers/program.ts"]
const elsewhere = ["stampede.ts", "swapping-layers/program.test.ts"]

// Its tests are part of this file, then.
await import("../examples/swapping-layers/program.test.js")

describe.concurrent("examples", { timeout: 120_000 }, () => {
  it.each(Object.entries(expected))("%s prints what it should", async (file, text) => {
    expect(await outputOf(file)).toBe(text.trimStart())
  })

  it("the demo cuts 500 queries to 1", async () => {
    const lines = (await outputOf("stampede.ts")).split("\n")
    expect(lines.filter((line) => line.startsWith("cut DB load"))).toEqual([
      "cut DB load by 99.8% (500 -> 1 queries)"
    ])
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}Map with a ttl +500 +500 +\d+ ms$/))
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}Cache\.getOrCreate +500 +1 +\d+ ms$/))
    expect(lines).toContain(`  Map with a ttl      ${"█".repeat(48)} 500`)
    expect(lines).toContain("  Cache.getOrCreate   ▏ 1")
    expect(lines.filter((line) => line.length > 80 || line.includes("\u001b"))).toEqual([])
  })

  it("are all run", () => {
    const files = Fs.readdirSync(Path.join(root, "examples"), { recursive: true, encoding: "utf8" })
    const known = [...Object.keys(expected), ...parts, ...elsewhere]
    expect(
      files.map((file) => file.replaceAll("\\", "/")).filter((file) => file.endsWith(".ts"))
    ).toEqual(expect.arrayContaining(known))
    expect(files.filter((file) => file.endsWith(".ts"))).toHaveLength(known.length)
  })
})
