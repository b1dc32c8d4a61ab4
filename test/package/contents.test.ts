import { describe, expect, inject, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { publint } from "publint"
import { formatMessage } from "publint/utils"
import { root, unpacked } from "./packed.js"
import { run } from "./run.js"

const files = Fs.readdirSync(unpacked, { recursive: true, encoding: "utf8" })
  .map((file) => file.split(Path.sep).join("/"))
  .filter((file) => Fs.statSync(Path.join(unpacked, file)).isFile())

/** The sources that the maps of a kind lead to, as paths in the package. */
const mappedFrom = (kind: string): ReadonlyArray<string> =>
  files
    .filter((file) => file.endsWith(kind))
    .flatMap((file) => {
      const text = Fs.readFileSync(Path.join(unpacked, file), "utf8")
      const { sources } = JSON.parse(text) as { readonly sources: ReadonlyArray<string> }
      return sources.map((source) => Path.posix.join(Path.posix.dirname(file), source))
    })

describe("what is packed", () => {
  it("leaves publint nothing to say", async () => {
    const buffer = Fs.readFileSync(inject("tarball"))
    const tarball = buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength)
    const { messages, pkg } = await publint({
      pack: { tarball: tarball as ArrayBuffer },
      strict: true
    })
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([])
  })

  // The one rule that is ignored is that a `require` finds ES modules: Node takes them from 20.19
  // on (tried in tryOut.test.ts). The profile leaves out `node10`, which knows no `exports`.
  it("has types that are right, however they are resolved", async () => {
    const require = createRequire(import.meta.url)
    const manifest = require.resolve("@arethetypeswrong/cli/package.json")
    const attw = Path.join(Path.dirname(manifest), "dist/index.js")
    const options = ["--profile", "node16", "--ignore-rules", "cjs-resolves-to-esm"]
    const command = [process.execPath, attw, inject("tarball"), "--format", "ascii"] as const
    const report = await run(root, [...command, ...options])
    expect(report).toContain("node16 (from CJS)")
  })

  it.each([".js.map", ".d.ts.map"])("has the source of each %s, and no other", (kind) => {
    const sources = files.filter((file) => file.startsWith("src/"))
    expect(sources.length).toBeGreaterThan(0)
    expect(mappedFrom(kind).toSorted()).toEqual(sources.toSorted())
  })

  it("is what was built, its sources, and what one should have read", () => {
    const others = files.filter(
      (file) => !/^(src\/.*\.ts|dist\/.*\.(js|d\.ts)(\.map)?|docs\/.*\.(md|svg))$/.test(file)
    )
    expect(others.toSorted()).toEqual(
      ["CHANGELOG.md", "LICENSE", "README.md", "llms.txt", "package.json"].toSorted()
    )
  })
})
