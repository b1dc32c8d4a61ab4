/** Who installs the package, and what then runs it. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { manifest } from "./manifest.js"
import { unpack } from "./packed.js"
import { run } from "./run.js"
import { programOf } from "./tools.js"

type Command = readonly [string, ...ReadonlyArray<string>]

export interface Installer {
  readonly name: string
  /** Undefined where there is none for this platform. */
  readonly program: string | undefined
  readonly install: ReadonlyArray<string>
  /** Runs a file; the program itself, unless it is Node. */
  readonly runtime: (program: string) => Command
  /** Does it run TypeScript? */
  readonly runsTypeScript: boolean
  /** What it calls the packed package, in a project's manifest. */
  readonly dependencyOn: (tarball: string, project: string) => Promise<string>
  /** The versions of others that the package is tried with. */
  readonly effect: string
  readonly ioredis: string
  /** `@effect/sql`, its driver for SQLite, and what these want beside them. */
  readonly sql: Readonly<Record<string, string>>
}

const { effect, ioredis, ioredis6, ...others } = manifest.devDependencies

const newest = {
  effect,
  ioredis,
  sql: {
    "@effect/sql": others["@effect/sql"],
    "@effect/sql-sqlite-node": others["@effect/sql-sqlite-node"],
    "@effect/experimental": others["@effect/experimental"],
    "@effect/platform": others["@effect/platform"]
  }
}
const newest6 = { ...newest, ioredis: ioredis6.replace("npm:ioredis@", "") }

/** `^3.22.0`, or `^5.2.5 || ^6`: what it begins with. */
const lowestOf = (range: string): string => /\d+\.\d+\.\d+/.exec(range)?.[0] ?? range

const lowest = {
  effect: lowestOf(manifest.peerDependencies.effect),
  ioredis: lowestOf(manifest.peerDependencies.ioredis),
  sql: {
    "@effect/sql": lowestOf(manifest.peerDependencies["@effect/sql"]),
    "@effect/sql-sqlite-node": lowestOf(manifest.peerDependencies["@effect/sql-sqlite-node"]),
    // The last that go with the lowest effect: what npm would choose goes with a later one alone.
    "@effect/experimental": "0.61.0",
    "@effect/platform": "0.97.0"
  }
}

const byNode = {
  runtime: (): Command => [process.execPath],
  runsTypeScript: false,
  dependencyOn: async (tarball: string) => `file:${tarball}`
}

/** Without it better-sqlite3 might be compiled, of which nothing here is run. */
const noScripts = "--ignore-scripts"

export const installers: ReadonlyArray<Installer> = [
  {
    name: "npm",
    program: "npm",
    install: ["install", "--no-audit", noScripts],
    ...byNode,
    ...lowest
  },
  {
    name: "pnpm",
    program: programOf("pnpm"),
    install: ["install", "--no-frozen-lockfile", noScripts],
    ...byNode,
    ...newest6
  },
  {
    name: "bun",
    program: programOf("bun"),
    install: ["install", "--no-save", noScripts],
    runtime: (program) => [program],
    runsTypeScript: true,
    dependencyOn: byNode.dependencyOn,
    ...newest
  },
  {
    name: "deno",
    program: programOf("deno"),
    install: ["install"],
    runtime: (program) => [program, "run", "--allow-all"],
    runsTypeScript: true,
    // It takes a folder, and no tarball.
    dependencyOn: async (tarball, project) => {
      await unpack(tarball, Path.join(project, "effect-larder"))
      return "file:./effect-larder"
    },
    ...newest6
  }
]

/** Has the project depend on the package and on these, and nothing else. */
export const install = async (
  { dependencyOn, install, name, program }: Installer,
  project: string,
  tarball: string,
  others: Readonly<Record<string, string>>
): Promise<void> => {
  if (program === undefined) {
    throw new Error(`the registry has no ${name} for ${process.platform} ${process.arch}`)
  }
  Fs.mkdirSync(project, { recursive: true })
  const dependencies = { "effect-larder": await dependencyOn(tarball, project), ...others }
  const text = JSON.stringify({ private: true, type: "module", dependencies }, undefined, 2)
  Fs.writeFileSync(Path.join(project, "package.json"), text)
  await run(project, [program, ...install])
}
