/** What is said where the driver is not installed, or was not built. */
import { expect, it } from "@effect/vitest"
import { build } from "esbuild"
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import { execFile } from "node:child_process"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { folder } from "../sql/databases.js"

const root = fileURLToPath(new URL("../..", import.meta.url))

const program = `
  import * as Effect from "effect/Effect"
  import { Storage } from "effect-larder"
  import { SqliteStorage } from "effect-larder/sqlite"
  const program = Storage.set("k", 1).pipe(
    Effect.provide(SqliteStorage.layer({ filename: ":memory:" })),
    Effect.match({
      onSuccess: () => "it works",
      onFailure: (error) => error.reason + " " + error.detail
    })
  )
  console.log(await Effect.runPromise(program))
`

const drivers = ["@effect/sql", "@effect/sql-sqlite-node", "better-sqlite3"]

/** A project in which these packages are as they are here, and a copy of the driver is changed. */
const said = (change: (modules: string) => void) =>
  Effect.gen(function* () {
    const project = yield* folder
    const modules = Path.join(project, "node_modules")
    Fs.mkdirSync(Path.join(modules, "@effect"), { recursive: true })
    for (const name of [
      "effect",
      "bindings",
      "file-uri-to-path",
      "@effect/experimental",
      "@effect/platform"
    ]) {
      Fs.symlinkSync(Path.join(root, "node_modules", name), Path.join(modules, name))
    }
    // What is linked finds its own packages where it really is: what matters is copied.
    for (const name of drivers) {
      Fs.cpSync(Path.join(root, "node_modules", name), Path.join(modules, name), {
        recursive: true,
        filter: (path) => !/(deps|\/src|\.map|\.d\.ts|obj|dts)$/.test(path)
      })
    }
    change(modules)
    const file = Path.join(project, "program.mjs")
    yield* Effect.promise(() =>
      build({
        stdin: { contents: program, resolveDir: root, loader: "ts" },
        outdir: project,
        // What is loaded when a layer is built stays in a file of its own.
        splitting: true,
        entryNames: "program",
        outExtension: { ".js": ".mjs" },
        bundle: true,
        platform: "node",
        format: "esm",
        target: "node20",
        external: ["effect/*", ...drivers, "@effect/*"],
        tsconfig: Path.join(root, "tsconfig.json")
      })
    )
    const { stdout } = yield* Effect.promise(() =>
      promisify(execFile)(process.execPath, [file], { cwd: project })
    )
    return stdout.trim()
  })

const remove = (name: string) => (modules: string) =>
  Fs.rmSync(Path.join(modules, name), { recursive: true })

it.live("with all of them it works", () =>
  Effect.scoped(
    Effect.map(
      said(() => {}),
      (text) => expect(text).toBe("it works")
    )
  )
)

it.live.each(["@effect/sql", "@effect/sql-sqlite-node", "better-sqlite3"])(
  "%s, which is not installed, is named, with the command that installs it",
  (name) =>
    Effect.gen(function* () {
      expect(yield* said(remove(name))).toBe(
        `MissingDriver effect-larder/sqlite needs the package ${name}: ` +
          "npm install @effect/sql@0.52 @effect/sql-sqlite-node@0.53"
      )
    }).pipe(Effect.scoped)
)

const wasNotBuilt =
  "MissingDriver the package better-sqlite3 is installed, and was not built for Node " +
  `${process.versions.node}: npm rebuild better-sqlite3`

it.live("a driver that was not built is said to be, with the command that builds it", () =>
  Effect.gen(function* () {
    expect(yield* said(remove("better-sqlite3/build"))).toBe(wasNotBuilt)
  }).pipe(Effect.scoped)
)

it.live("and so is one that was built for something else", () =>
  Effect.gen(function* () {
    const text = yield* said((modules) => {
      const binding = Path.join(modules, "better-sqlite3/build/Release/better_sqlite3.node")
      Fs.writeFileSync(binding, "not for this machine")
    })
    expect(text).toBe(wasNotBuilt)
  }).pipe(Effect.scoped)
)
