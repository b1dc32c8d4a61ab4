import { describe, expect, inject, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { transform } from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { beforeAll } from "vitest"
import { started } from "../redis/backends.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"
import { install, type Installer, installers } from "./installers.js"
import { entries, manifest } from "./manifest.js"
import { root } from "./packed.js"
import { run, tryToRun } from "./run.js"

const tarball = inject("tarball")

/** The README's first program, and what it says. */
const [first, said] = ["one-query.ts", "one-query.txt"].map((file) =>
  Fs.readFileSync(Path.join(root, "examples", file), "utf8")
) as [string, string]

const programOf = (name: string) =>
  Fs.readFileSync(new URL(`programs/${name}.ts`, import.meta.url), "utf8")

const projectOf = ({ name }: Installer) => Path.join(inject("outside"), name)

interface Manner {
  readonly format?: "esm" | "cjs"
  readonly settings?: Readonly<Record<string, string>>
}

/** A program as somebody with this runtime would have it. */
const runIn = async (
  installer: Installer,
  program: string,
  { format = "esm", settings }: Manner = {}
): Promise<string> => {
  const { program: path = "", runsTypeScript, runtime } = installer
  const isTaken = runsTypeScript && format === "esm"
  const file = isTaken ? "program.ts" : format === "esm" ? "program.mjs" : "program.cjs"
  const code = isTaken ? program : (await transform(program, { loader: "ts", format })).code
  Fs.writeFileSync(Path.join(projectOf(installer), file), code)
  return run(projectOf(installer), [...runtime(path), file], settings)
}

/** What TypeScript says of these programs, and of all libraries they import. */
const complaintsAbout = async (
  project: string,
  programs: Readonly<Record<string, string>>,
  options: Readonly<Record<string, unknown>>
): Promise<ReadonlyArray<string>> => {
  for (const [file, text] of Object.entries(programs)) {
    Fs.writeFileSync(Path.join(project, file), text)
  }
  const config = Path.join(project, `tsconfig.${String(options["moduleResolution"])}.json`)
  const compilerOptions = {
    target: "es2022",
    lib: ["es2022"],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    ...options
  }
  Fs.writeFileSync(config, JSON.stringify({ compilerOptions, files: Object.keys(programs) }))
  const tsc = [process.execPath, Path.join(root, "node_modules/typescript/bin/tsc")] as const
  const { output } = await tryToRun(project, [...tsc, "--pretty", "false", "-p", config])
  return output.split("\n").filter((line) => line !== "")
}

const nodenext = { module: "nodenext", moduleResolution: "nodenext" }
const bundler = { module: "esnext", moduleResolution: "bundler" }

const programs = {
  "everyEntry.ts": entries.map((entry, n) => `export * as entry${n} from "${entry}"\n`).join(""),
  "first.ts": first,
  "overRedis.ts": programOf("overRedis"),
  "withoutDriver.ts": programOf("withoutDriver"),
  "withoutSqlite.ts": programOf("withoutSqlite")
}

/** The registry has all of them for Linux on x64: that one is missing there is a fault in CI. */
const mayLack =
  ["", "0", "false"].includes(process.env["CI"] ?? "") ||
  process.platform !== "linux" ||
  process.arch !== "x64"

const available = installers.filter(({ program }) => program !== undefined || !mayLack)

for (const { name } of installers.filter((it) => !available.includes(it))) {
  it.skip(`installed by ${name}, of which there is none for this platform`, () => {})
}

for (const installer of available) {
  const { effect, name } = installer

  describe(`installed by ${name}, with effect ${effect} alone`, () => {
    beforeAll(() => install(installer, projectOf(installer), tarball, { effect }))

    it("runs the README's first program", async () => {
      expect(await runIn(installer, first)).toBe(said)
    })

    it("is there for CommonJS, too", async () => {
      expect(await runIn(installer, first, { format: "cjs" })).toBe(said)
    })

    it("has nothing to import but its entries", async () => {
      const inner = `import("effect-larder/dist/index.js").then(() => "found", () => "not found")`
      expect(await runIn(installer, `console.log(await ${inner})`)).toBe("not found\n")
    })

    it("says what to install for Redis, and goes on without it where nobody insists", async () => {
      const output = await runIn(installer, programOf("withoutDriver"))
      const advice = "effect-larder/redis needs the package ioredis: npm install ioredis@5"
      expect(output).toContain(`goes on without Redis: ${advice}`)
      expect(output).toContain(`\nError: ${advice}\n`)
      expect(output).toMatch(/^42$/m)
    })

    it("says what to install for a file of SQLite", async () => {
      const advice = "npm install @effect/sql@0.52 @effect/sql-sqlite-node@0.53"
      const output = await runIn(installer, programOf("withoutSqlite"))
      expect(output).toMatch(/^MissingDriver: effect-larder\/sqlite needs the package @effect\/sql/)
      expect(output).toContain(`: ${advice}\n`)
    })

    it("cannot import effect-larder/sql, for want of a package that is named", async () => {
      const entry = `import("effect-larder/sql").then(() => "found", (fault) => fault.message)`
      expect(await runIn(installer, `console.log(await ${entry})`)).toMatch(
        /(find|resolve).*@effect\/sql/
      )
    })
  })
}

const [npm, pnpm] = installers as readonly [Installer, Installer, ...ReadonlyArray<Installer>]

describe.concurrent("for TypeScript, without ioredis", () => {
  const lib = ["es2022", "dom"]

  it("nothing is missing when libraries are not checked", async () => {
    const options = { ...bundler, lib, skipLibCheck: true }
    expect(await complaintsAbout(projectOf(npm), programs, options)).toEqual([])
  })

  it("all that is missing when they are is for who imports Redis, SQL, or injects faults", async () => {
    const options = { ...nodenext, lib }
    const complaints = await complaintsAbout(projectOf(npm), programs, options)
    const ofNode =
      /\/dist\/(redis|sql|testing\/faults).*('ioredis'|'@effect\/sql[^']*'|'node:\w+'|'Buffer')/
    expect(complaints.filter((line) => !ofNode.test(line))).toEqual([])
    expect(complaints).toContainEqual(expect.stringContaining("Cannot find module 'ioredis'"))
  })
})

describeWithServer("with a driver", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))

  for (const installer of available) {
    const { effect, ioredis, name, runsTypeScript, sql } = installer

    describe(`installed by ${name}, with ioredis ${ioredis}`, () => {
      const forNode = { "@types/node": manifest.devDependencies["@types/node"] }
      // For their types, which are checked below for those that run none.
      const ofSql = runsTypeScript ? {} : sql
      const others = { effect, ioredis, ...ofSql, ...forNode }
      beforeAll(() => install(installer, projectOf(installer), tarball, others))

      it("shares a cache over Redis", async () => {
        const { url } = await Effect.runPromise(server)
        const settings = { REDIS_URL: url, LARDER_CACHE_PREFIX: name }
        expect(await runIn(installer, programOf("overRedis"), { settings })).toBe(
          "1000 requests, 1 query, 0 hits\n10 requests, 1 query, 10 hits\n"
        )
      })
    })
  }

  describe.concurrent("for TypeScript nothing is missing, with libraries checked", () => {
    for (const [{ ioredis, name }, project, resolution] of [
      [npm, projectOf(npm), bundler],
      [pnpm, projectOf(pnpm), nodenext]
    ] as const) {
      it(`resolved as ${resolution.moduleResolution}, ${name}, ioredis ${ioredis}`, async () => {
        expect(await complaintsAbout(project, programs, resolution)).toEqual([])
      })
    }
  })
})
