import { describe, expect, it } from "@effect/vitest"
import { build } from "esbuild"
import * as Path from "node:path"
import { gzipSync } from "node:zlib"
import { entries, manifest } from "./manifest.js"
import { inside } from "./packed.js"

const drivers = Object.keys(manifest.peerDependencies)

interface Bundle {
  /** Bytes, minified. */
  readonly size: number
  readonly gzipped: number
  /** Our modules of which something is in it. */
  readonly modules: ReadonlyArray<string>
  /** What is loaded with it, and what not before it is needed. */
  readonly loads: ReadonlyArray<string>
  readonly loadsLater: ReadonlyArray<string>
}

const packageOf = (path: string): string =>
  path.startsWith("node:") ? path : (/^(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path)

/** As a bundler does it, with the peers left out. */
const bundle = async (code: string): Promise<Bundle> => {
  const { metafile, outputFiles } = await build({
    stdin: { contents: code, resolveDir: inside },
    absWorkingDir: inside,
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: "esm",
    platform: "node",
    external: drivers.flatMap((name) => [name, `${name}/*`]),
    logLevel: "error"
  })
  const [output] = Object.values(metafile.outputs)
  const [file] = outputFiles
  if (output === undefined || file === undefined) throw new Error("esbuild has made nothing")
  const named = (later: boolean) => {
    const imports = output.imports.filter(({ kind }) => (kind === "dynamic-import") === later)
    return [...new Set(imports.map(({ path }) => packageOf(path)))].toSorted()
  }
  return {
    size: file.contents.length,
    gzipped: gzipSync(file.contents).length,
    modules: Object.entries(output.inputs)
      .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
      .map(([input]) => Path.posix.relative("node_modules/effect-larder/dist", input)),
    loads: named(false),
    loadsLater: named(true)
  }
}

const kB = (bytes: number): string => `${(bytes / 1_000).toFixed(1)} kB`

interface Budget {
  /** Bytes, minified and gzipped: what it was when this was written, and 10 % more. */
  readonly gzipped: number
  readonly loads: ReadonlyArray<string>
  readonly loadsLater?: ReadonlyArray<string>
}

const budgets: Readonly<Record<string, Budget>> = {
  "effect-larder": { gzipped: 37_400, loads: ["effect"] },
  "effect-larder/redis": {
    gzipped: 52_400,
    loads: ["effect", "node:crypto"],
    loadsLater: ["ioredis"]
  },
  "effect-larder/sql": { gzipped: 12_200, loads: ["@effect/sql", "effect", "node:crypto"] },
  "effect-larder/sqlite": {
    gzipped: 14_100,
    // Bundled into one file it loads at once what is otherwise loaded when a layer is built.
    loads: ["@effect/sql", "effect", "node:crypto"],
    loadsLater: ["@effect/sql-sqlite-node"]
  },
  "effect-larder/testing": {
    gzipped: 78_800,
    loads: ["effect", "node:child_process", "node:fs", "node:net"]
  }
}

describe("each entry", () => {
  it("has a budget", () => {
    expect(Object.keys(budgets)).toEqual(entries)
  })

  it.each(Object.entries(budgets))(
    "%s is no larger, and loads no more, than it should",
    async (entry, { gzipped, loads, loadsLater = [] }) => {
      const found = await bundle(`export * from "${entry}"`)
      console.log(
        `${entry}: ${kB(found.size)} minified, ${kB(found.gzipped)} gzipped of ${kB(gzipped)}`
      )
      expect(found.gzipped).toBeLessThan(gzipped)
      expect(found).toMatchObject({ loads, loadsLater })
    }
  )
})

describe("a program's bundle", () => {
  it("has nothing of the package when it uses nothing of it", async () => {
    expect((await bundle('import "effect-larder"')).modules).toEqual([])
  })

  it("has neither regions nor backends when it uses a memory cache alone", async () => {
    const { gzipped, modules, size } = await bundle(`
      import { Cache, MemoryCache } from "effect-larder"
      export const create = (key, value) => Cache.getOrCreate(key, value)
      export const CacheLive = MemoryCache.layer()
    `)
    console.log(`Cache and MemoryCache.layer: ${kB(size)} minified, ${kB(gzipped)} gzipped`)
    const unused = ["CacheRegion.js", "memory/MemoryBackend.js", "policy/lease.js"]
    expect(modules).toContain("core/getOrCreate.js")
    expect(modules.filter((module) => unused.includes(module))).toEqual([])
    const { modules: all } = await bundle('export * from "effect-larder"')
    expect(all).toEqual(expect.arrayContaining(unused))
  })
})
