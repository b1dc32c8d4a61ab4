import { describe, expect, it } from "@effect/vitest"
import * as Path from "node:path"
import ts from "typescript"
import { root } from "../../scripts/docs/pages.js"
import { compile, complaintsAbout } from "./compile.js"

// What editors and the reference show of the sources: that it is there, and that it compiles.

const entries = {
  "effect-larder": "src/index.ts",
  "effect-larder/redis": "src/redis.ts",
  "effect-larder/sql": "src/sql.ts",
  "effect-larder/sqlite": "src/sqlite.ts",
  "effect-larder/testing": "src/testing.ts"
}

const program = compile(Object.values(entries).map((file) => Path.join(root, file)))
const checker = program.getTypeChecker()

interface Exported {
  readonly name: string
  readonly symbol: ts.Symbol
}

const isNamespace = (symbol: ts.Symbol): boolean =>
  symbol.declarations?.every(ts.isSourceFile) === true

/** All that a user can name, a namespace's members in its place. */
const exportsOf = (name: string, module: ts.Symbol): ReadonlyArray<Exported> =>
  checker.getExportsOfModule(module).flatMap((exported) => {
    const symbol =
      exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    const full = `${name} ${exported.name}`
    return isNamespace(symbol) ? exportsOf(full, symbol) : [{ name: full, symbol }]
  })

const exported = Object.entries(entries).flatMap(([name, file]) => {
  const source = program.getSourceFile(Path.join(root, file))
  const module = source && checker.getSymbolAtLocation(source)
  return module === undefined ? [] : exportsOf(name, module)
})

/** The functions and constants that a class carries. */
const staticsOf = ({ name, symbol }: Exported): ReadonlyArray<Exported> =>
  (symbol.declarations ?? []).filter(ts.isClassDeclaration).flatMap((declaration) =>
    declaration.members.flatMap((member) => {
      const flags = ts.getCombinedModifierFlags(member)
      if (!(flags & ts.ModifierFlags.Static) || flags & ts.ModifierFlags.Private) return []
      const found = member.name && checker.getSymbolAtLocation(member.name)
      return found === undefined ? [] : [{ name: `${name}.${found.name}`, symbol: found }]
    })
  )

const statics = exported.flatMap(staticsOf)

const textOf = ({ symbol }: Exported): string =>
  ts.displayPartsToString(symbol.getDocumentationComment(checker))

const tagsOf = ({ symbol }: Exported): ReadonlyArray<string> =>
  symbol.getJsDocTags(checker).map(({ name }) => name)

const namesOf = (all: ReadonlyArray<Exported>): ReadonlyArray<string> => all.map(({ name }) => name)

const lacking = (all: ReadonlyArray<Exported>, tag: string): ReadonlyArray<string> =>
  namesOf(all.filter((one) => !tagsOf(one).includes(tag)))

/** Rules for those who write backends: one example, at the head of the module, is enough. */
const isRule = ({ name }: Exported): boolean => name.startsWith("effect-larder Lease ")

const isCallable = ({ symbol }: Exported): boolean =>
  (symbol.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Variable | ts.SymbolFlags.Class)) !== 0

const isError = ({ symbol }: Exported): boolean =>
  symbol.getJsDocTags(checker).some(({ name, text }) => {
    return name === "category" && ts.displayPartsToString(text).trim() === "errors"
  })

const examples = Object.fromEntries(
  program
    .getSourceFiles()
    .filter(({ fileName }) => fileName.startsWith(Path.join(root, "src")))
    .flatMap(({ fileName, text }) =>
      Array.from(
        text.matchAll(/^ *\* @example\n *\* ```ts\n([^]*?)^ *\* ```$/gm),
        ({ 1: code = "", index }) => {
          const line = text.slice(0, index).split("\n").length
          const name = `${Path.relative(root, fileName)}:${line}`
          return [name, code.replace(/^ *\* ?/gm, "")] as const
        }
      )
    )
)

describe("docstrings", { timeout: 120_000 }, () => {
  it("are looked for where there are exports", () => {
    expect(namesOf(exported)).toContain("effect-larder CacheRegion make")
    expect(namesOf(statics)).toContain("effect-larder Cache.getOrCreate")
    expect(Object.keys(examples).length).toBeGreaterThan(10)
  })

  it("say of every export what it is", () => {
    expect(namesOf([...exported, ...statics].filter((one) => textOf(one).trim() === ""))).toEqual(
      []
    )
  })

  it("say of every export since when it is there, and of what category it is", () => {
    expect(lacking([...exported, ...statics], "since")).toEqual([])
    expect(lacking(exported, "category")).toEqual([])
  })

  it("have an example for everything that one calls or provides", () => {
    const shown = exported.filter((one) => isCallable(one) && !isRule(one) && !isError(one))
    expect(lacking(shown, "example")).toEqual([])
  })

  it("have examples that compile", () => {
    expect(complaintsAbout(examples)).toEqual([])
  })

  it("would notice an example that does not", () => {
    const wrong = 'import { Cache } from "effect-larder"\nCache.getOrCreat("k")'
    expect(complaintsAbout({ wrong })).toEqual([expect.stringContaining("getOrCreat")])
  })
})
