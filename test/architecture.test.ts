import { describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

// Who may import whom. Everything not allowed here is a fault:
//
//   roots ──► faces ──► core ──► policy, port ──► effect only
//   roots ──► adapters ────────► policy, port

const adapters = ["memory", "redis", "memcached", "sqlite", "sql", "platform"] as const

type Adapter = (typeof adapters)[number]
type Place = "root" | "face" | "testing" | "core" | "policy" | "port" | Adapter

const mayReach: Readonly<Record<Place, ReadonlyArray<Place>>> = {
  root: ["root", "face", "testing", "core", "policy", "port", ...adapters],
  face: ["face", "core", "policy", "port"],
  testing: ["testing", "face", "core", "policy", "port", "memory"],
  core: ["core", "policy", "port"],
  policy: ["policy"],
  port: ["port", "policy"],
  memory: ["memory", "policy", "port"],
  redis: ["redis", "policy", "port"],
  memcached: ["memcached", "policy", "port"],
  sqlite: ["sqlite", "policy", "port"],
  sql: ["sql", "policy", "port"],
  platform: ["platform", "policy", "port"]
}

// What a place may import besides `effect`; `node:` stands for every module of Node's own.
const drivers: Readonly<Record<Place, ReadonlyArray<string> | "any">> = {
  root: "any",
  face: [],
  testing: ["node:"],
  core: [],
  policy: [],
  port: [],
  memory: [],
  redis: ["ioredis", "node:"],
  memcached: ["node:"],
  sqlite: ["@effect/sql", "@effect/sql-sqlite-node", "node:"],
  sql: ["@effect/sql", "node:"],
  platform: ["@effect/platform", "node:"]
}

// Modules of effect that are data and functions over data: nothing in them runs, waits or asks.
const pureModules = new Set(
  [
    ["Array", "BigDecimal", "BigInt", "Boolean", "Brand", "Cause", "Chunk", "Data", "Duration"],
    ["Either", "Encoding", "Equal", "Equivalence", "Exit", "Function", "Hash", "HashMap"],
    ["HashSet", "Inspectable", "Iterable", "List", "Match", "Number", "Option", "Order"],
    ["Pipeable", "Predicate", "Record", "Redacted", "SortedMap", "SortedSet", "String", "Struct"],
    ["Tuple", "Types", "Unify"]
  ].flat()
)
const pureAsTypes = new Set(["ParseResult", "Schema"])

const vagueName = /^(utils?|common|helpers?|types)$|(Manager|Impl)$/i

type Sources = Readonly<Record<string, string>>

interface Arrow {
  readonly from: string
  readonly line: number
  readonly specifier: string
  readonly form: "namespace" | "names" | "bare" | "re-export" | "dynamic"
  readonly isTypeOnly: boolean
}

const placeOf = (file: string): Place | undefined => {
  const [folder, ...rest] = file.split("/").slice(1)
  if (folder === undefined) return undefined
  if (rest.length === 0) {
    return /^[a-z]/.test(folder) || folder === "Settings.ts" ? "root" : "face"
  }
  if (folder === "root" || folder === "face") return undefined
  return Object.hasOwn(mayReach, folder) ? (folder as Place) : undefined
}

const formOf = (clause: ts.ImportClause | undefined): Arrow["form"] => {
  if (clause === undefined) return "bare"
  const isNamespace =
    clause.namedBindings !== undefined && ts.isNamespaceImport(clause.namedBindings)
  return isNamespace && clause.name === undefined ? "namespace" : "names"
}

/** Every import of a file, whatever its form; a specifier that cannot be read is given as written. */
const arrowsOf = (file: string, text: string): ReadonlyArray<Arrow> => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const arrows: Array<Arrow> = []
  const add = (node: ts.Node, to: ts.Node, form: Arrow["form"], isTypeOnly: boolean) => {
    const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
    const specifier = ts.isStringLiteralLike(to) ? to.text : `(${to.getText(source)})`
    arrows.push({ from: file, line, specifier, form, isTypeOnly })
  }
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      const isTypeOnly = node.importClause?.isTypeOnly ?? false
      add(node, node.moduleSpecifier, formOf(node.importClause), isTypeOnly)
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node, node.moduleSpecifier, "re-export", node.isTypeOnly)
    } else if (ts.isExternalModuleReference(node)) {
      add(node, node.expression, "names", false)
    } else if (ts.isImportTypeNode(node)) {
      add(node, ts.isLiteralTypeNode(node.argument) ? node.argument.literal : node, "names", true)
    } else if (ts.isCallExpression(node)) {
      const callee = node.expression
      const isImport = callee.kind === ts.SyntaxKind.ImportKeyword
      const isRequire = ts.isIdentifier(callee) && callee.text === "require"
      if (isImport || isRequire) add(node, node.arguments[0] ?? node, "dynamic", false)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return arrows
}

const isRelative = (specifier: string) => specifier.startsWith(".")

/** The source file that a relative import names. */
const targetOf = (arrow: Arrow): string =>
  Path.posix.join(Path.posix.dirname(arrow.from), arrow.specifier).replace(/\.js$/, ".ts")

const packageOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const faultOfRelative = (arrow: Arrow, place: Place, sources: Sources): string | undefined => {
  if (!arrow.specifier.endsWith(".js")) return "a relative import ends with .js"
  const target = targetOf(arrow)
  if (!Object.hasOwn(sources, target)) return "there is no such file below src"
  const reached = placeOf(target)
  if (reached === undefined || mayReach[place].includes(reached)) return undefined
  return `${place} may not import ${reached}`
}

const faultOfEffect = (arrow: Arrow, place: Place): string | undefined => {
  if (arrow.specifier === "effect") return "import the module, not the barrel"
  const module = arrow.specifier.slice("effect/".length)
  const isPure = pureModules.has(module) || (arrow.isTypeOnly && pureAsTypes.has(module))
  return place === "policy" && !isPure ? "policy knows no Effect runtime" : undefined
}

const faultOfPackage = (arrow: Arrow, place: Place): string | undefined => {
  const name = packageOf(arrow.specifier)
  const isNamespaced = arrow.form === "namespace" || arrow.form === "dynamic" || arrow.isTypeOnly
  if (/^(@effect\/|effect(\/|$))/.test(arrow.specifier) && !isNamespaced) {
    return "import effect's modules as namespaces"
  }
  if (name === "effect") return faultOfEffect(arrow, place)
  const allowed = drivers[place]
  const isAllowed =
    allowed === "any" ||
    allowed.some((driver) => driver === name || (driver === "node:" && name.startsWith("node:")))
  return isAllowed ? undefined : `${place} may not import ${name}`
}

const faultOf = (arrow: Arrow, sources: Sources): string | undefined => {
  const place = placeOf(arrow.from)
  if (place === undefined) return "no rule knows this folder"
  if (arrow.specifier.startsWith("(")) return "an import must name its module literally"
  return isRelative(arrow.specifier)
    ? faultOfRelative(arrow, place, sources)
    : faultOfPackage(arrow, place)
}

const allArrows = (sources: Sources): ReadonlyArray<Arrow> =>
  Object.entries(sources).flatMap(([file, text]) => arrowsOf(file, text))

const faultsOf = (sources: Sources): ReadonlyArray<string> =>
  allArrows(sources).flatMap((arrow) => {
    const fault = faultOf(arrow, sources)
    return fault === undefined ? [] : [`${arrow.from}:${arrow.line} ${arrow.specifier}: ${fault}`]
  })

/** What loading a file loads: the value imports that run with it. */
const loadedBy = (file: string, sources: Sources): ReadonlyArray<Arrow> =>
  arrowsOf(file, sources[file] ?? "").filter(
    (arrow) => !arrow.isTypeOnly && arrow.form !== "dynamic"
  )

/** Groups of files that load each other, each as the path that returns to its first file. */
const cyclesOf = (sources: Sources): ReadonlyArray<string> => {
  const cycles: Array<string> = []
  const done = new Set<string>()
  const visit = (file: string, path: ReadonlyArray<string>): void => {
    const start = path.indexOf(file)
    if (start >= 0) cycles.push([...path.slice(start), file].join(" → "))
    if (start >= 0 || done.has(file)) return
    for (const arrow of loadedBy(file, sources)) {
      if (isRelative(arrow.specifier)) visit(targetOf(arrow), [...path, file])
    }
    done.add(file)
  }
  for (const file of Object.keys(sources)) visit(file, [])
  return cycles
}

/** The packages that importing an entry file loads. */
const packagesLoadedBy = (entry: string, sources: Sources): ReadonlySet<string> => {
  const packages = new Set<string>()
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    for (const arrow of loadedBy(file, sources)) {
      if (isRelative(arrow.specifier)) visit(targetOf(arrow))
      else packages.add(packageOf(arrow.specifier))
    }
  }
  visit(entry)
  return packages
}

const vagueFilesOf = (sources: Sources): ReadonlyArray<string> =>
  Object.keys(sources).filter((file) =>
    file.split("/").some((part) => vagueName.test(part.replace(/\.ts$/, "")))
  )

const root = fileURLToPath(new URL("..", import.meta.url))

const readSources = (): Sources => {
  const folder = Path.join(root, "src")
  if (!Fs.existsSync(folder)) return {}
  const files = Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => file.split(Path.sep).join("/"))
    .filter((file) => file.endsWith(".ts"))
  return Object.fromEntries(
    files.map((file) => [`src/${file}`, Fs.readFileSync(Path.join(folder, file), "utf8")])
  )
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

describe("the sources", () => {
  const sources = readSources()
  const manifest = JSON.parse(Fs.readFileSync(Path.join(root, "package.json"), "utf8")) as Manifest

  it("are found, with their imports", () => {
    if (!Fs.existsSync(Path.join(root, "src/core"))) return
    const places = new Set(Object.keys(sources).map(placeOf))
    expect([...places]).toEqual(expect.arrayContaining(["core", "policy", "port"]))
    expect(allArrows(sources).length).toBeGreaterThan(Object.keys(sources).length)
  })

  it("have no import that runs up", () => {
    expect(faultsOf(sources)).toEqual([])
  })

  it("have no import cycle but of types", () => {
    expect(cyclesOf(sources)).toEqual([])
  })

  it("have no file with a name that says nothing", () => {
    expect(vagueFilesOf(sources)).toEqual([])
  })

  it("import no package that users are not told to install", () => {
    const declared = new Set([
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.peerDependencies ?? {})
    ])
    const undeclared = allArrows(sources)
      .filter(({ specifier }) => !isRelative(specifier) && !specifier.startsWith("node:"))
      .filter(({ specifier }) => !declared.has(packageOf(specifier)))
    expect(undeclared).toEqual([])
  })

  it("start processes in the test kit alone", () => {
    const starters = allArrows(sources).filter(
      ({ specifier }) => specifier === "node:child_process"
    )
    expect([...new Set(starters.map(({ from }) => placeOf(from)))]).toEqual(["testing"])
  })

  it("load nothing of Node's own from src/index.ts", () => {
    const packages = [...packagesLoadedBy("src/index.ts", sources)]
    expect(packages.filter((name) => name.startsWith("node:"))).toEqual([])
  })

  it.each(["src/index.ts", "src/testing.ts"])("load no driver from %s", (entry) => {
    const drivers = [...packagesLoadedBy(entry, sources)].filter(
      (name) => !name.startsWith("node:")
    )
    expect(drivers).toEqual(["effect"])
  })
})

// The rules above pass on anything if the checker sees nothing: here it must object.
describe("the checker", () => {
  const others: Sources = {
    "src/index.ts": "",
    "src/Settings.ts": "",
    "src/Cache.ts": "",
    "src/core/flight.ts": "",
    "src/policy/lease.ts": "",
    "src/port/CacheBackend.ts": "",
    "src/memory/backend.ts": "",
    "src/redis/backend.ts": "",
    "src/testing/conformance.ts": ""
  }
  const faultsIn = (file: string, text: string) => faultsOf({ ...others, [file]: text })

  it.each<[sentence: string, file: string, text: string, fault: string]>([
    [
      "the core importing an adapter",
      "src/core/a.ts",
      `import { backend } from "../memory/backend.js"`,
      "core may not import memory"
    ],
    [
      "the core importing a face, even its types",
      "src/core/a.ts",
      `import type { Cache } from "../Cache.js"`,
      "core may not import face"
    ],
    [
      "the core importing a face in the type of a parameter",
      "src/core/a.ts",
      `export const f = (cache: import("../Cache.js").Cache) => cache`,
      "core may not import face"
    ],
    [
      "the core re-exporting an adapter",
      "src/core/a.ts",
      `export * from "../redis/backend.js"`,
      "core may not import redis"
    ],
    [
      "the core importing a driver",
      "src/core/a.ts",
      `import { Redis } from "ioredis"`,
      "core may not import ioredis"
    ],
    [
      "the core importing a module of Node",
      "src/core/a.ts",
      `import * as Fs from "node:fs"`,
      "core may not import node:fs"
    ],
    [
      "an adapter importing the core",
      "src/redis/a.ts",
      `import { flight } from "../core/flight.js"`,
      "redis may not import core"
    ],
    [
      "an adapter importing another adapter, when it is called",
      "src/redis/a.ts",
      `export const f = () => import("../memory/backend.js")`,
      "redis may not import memory"
    ],
    [
      "an adapter importing another's driver",
      "src/sqlite/a.ts",
      `import { Redis } from "ioredis"`,
      "sqlite may not import ioredis"
    ],
    [
      "a face importing an adapter",
      "src/Region.ts",
      `import "./memory/backend.js"`,
      "face may not import memory"
    ],
    [
      "a face importing a root",
      "src/Region.ts",
      `export { settings } from "./Settings.js"`,
      "face may not import root"
    ],
    [
      "a face importing the test kit",
      "src/Region.ts",
      `import { suite } from "./testing/conformance.js"`,
      "face may not import testing"
    ],
    [
      "the test kit importing a driver family",
      "src/testing/a.ts",
      `import { backend } from "../redis/backend.js"`,
      "testing may not import redis"
    ],
    [
      "a port importing the core",
      "src/port/a.ts",
      `import type { Flight } from "../core/flight.js"`,
      "port may not import core"
    ],
    [
      "policy importing a port",
      "src/policy/a.ts",
      `import type { CacheBackend } from "../port/CacheBackend.js"`,
      "policy may not import port"
    ],
    [
      "policy importing the Effect runtime",
      "src/policy/a.ts",
      `import * as Effect from "effect/Effect"`,
      "policy knows no Effect runtime"
    ],
    [
      "policy importing the clock, even its types",
      "src/policy/a.ts",
      `import type * as Clock from "effect/Clock"`,
      "policy knows no Effect runtime"
    ],
    [
      "policy running a schema",
      "src/policy/a.ts",
      `import * as Schema from "effect/Schema"`,
      "policy knows no Effect runtime"
    ],
    [
      "the barrel of effect",
      "src/core/a.ts",
      `import * as E from "effect"`,
      "import the module, not the barrel"
    ],
    [
      "the types of effect's barrel",
      "src/Region.ts",
      `import type { Effect } from "effect"`,
      "import the module, not the barrel"
    ],
    [
      "names out of a module of effect",
      "src/core/a.ts",
      `import { succeed } from "effect/Effect"`,
      "import effect's modules as namespaces"
    ],
    [
      "names out of a module of effect's packages",
      "src/sql.ts",
      `import { SqlClient } from "@effect/sql/SqlClient"`,
      "import effect's modules as namespaces"
    ],
    [
      "a relative import without its ending",
      "src/core/a.ts",
      `import { flight } from "./flight"`,
      "a relative import ends with .js"
    ],
    [
      "a relative import that leaves src",
      "src/index.ts",
      `import { fixture } from "../test/fixture.js"`,
      "there is no such file below src"
    ],
    [
      "the package importing itself by its name",
      "src/Region.ts",
      `import { Cache } from "effect-larder"`,
      "face may not import effect-larder"
    ],
    [
      "an import whose module is computed",
      "src/index.ts",
      `export const load = (name: string) => import(name)`,
      "an import must name its module literally"
    ],
    [
      "a folder that no rule knows",
      "src/extras/a.ts",
      `import * as Effect from "effect/Effect"`,
      "no rule knows this folder"
    ]
  ])("objects to %s", (_, file, text, fault) => {
    expect(faultsIn(file, text)).toEqual([expect.stringContaining(`: ${fault}`)])
  })

  it.each<[sentence: string, file: string, text: string]>([
    ["a root importing everything", "src/redis.ts", `export * from "./redis/backend.js"`],
    ["settings loading an entry", "src/Settings.ts", `export const f = () => import("./index.js")`],
    ["a face importing the core", "src/Region.ts", `import { flight } from "./core/flight.js"`],
    ["an adapter importing its driver", "src/redis/a.ts", `import { Redis } from "ioredis"`],
    ["an adapter importing policy", "src/redis/a.ts", `import "../policy/lease.js"`],
    ["the test kit importing memory", "src/testing/a.ts", `import "../memory/backend.js"`],
    ["policy importing options", "src/policy/a.ts", `import * as Option from "effect/Option"`],
    ["policy naming a schema", "src/policy/a.ts", `import type * as S from "effect/Schema"`],
    ["an import in a comment", "src/core/a.ts", `// import { Redis } from "ioredis"`],
    ["an import in a string", "src/core/a.ts", 'export const s = `import "ioredis"`']
  ])("allows %s", (_, file, text) => {
    expect(faultsIn(file, text)).toEqual([])
  })

  it("finds a cycle of three files", () => {
    const sources = {
      "src/core/a.ts": `import "./b.js"`,
      "src/core/b.ts": `export * from "./c.js"`,
      "src/core/c.ts": `import { a } from "./a.js"`
    }
    expect(cyclesOf(sources)).toEqual([
      "src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts"
    ])
  })

  it("lets types refer to each other in a cycle", () => {
    const sources = {
      "src/core/a.ts": `import type { B } from "./b.js"`,
      "src/core/b.ts": `import { a } from "./a.js"`
    }
    expect(cyclesOf(sources)).toEqual([])
  })

  it("follows an entry to the driver that it loads", () => {
    const sources = {
      "src/index.ts": `export * from "./redis.js"`,
      "src/redis.ts": `import { Redis } from "ioredis"`
    }
    expect([...packagesLoadedBy("src/index.ts", sources)]).toEqual(["ioredis"])
  })

  it("objects to names that say nothing, of files and of folders", () => {
    const sources = {
      "src/core/utils.ts": "",
      "src/types/a.ts": "",
      "src/core/LeaseManager.ts": ""
    }
    expect(vagueFilesOf(sources)).toEqual(Object.keys(sources))
  })
})
