/**
 * Where the programs of real servers are: as the environment says, on the system, or in a cache
 * folder that is filled from the distribution's packages.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import * as Apt from "./apt.js"

export class ServerMissing extends Data.TaggedError("ServerMissing")<{
  readonly program: Name
  readonly message: string
  readonly cause?: unknown
}> {}

export interface Program {
  readonly path: string
  /** What must be in its environment. */
  readonly env: Readonly<Record<string, string>>
}

interface Source {
  readonly variable: string
  readonly package: string
  /** In Debian a server is a link to the checker of its files, which is among the tools. */
  readonly linkTo?: string
  /** Where it is in its package, and maybe on the system, if not in `usr/bin`; at most one `*`. */
  readonly folder?: string
}

const sources = {
  "redis-server": {
    variable: "LARDER_REDIS_SERVER",
    package: "redis-tools",
    linkTo: "redis-check-rdb"
  },
  "redis-cli": { variable: "LARDER_REDIS_CLI", package: "redis-tools" },
  "valkey-server": {
    variable: "LARDER_VALKEY_SERVER",
    package: "valkey-tools",
    linkTo: "valkey-check-rdb"
  },
  // The package of whatever version the release has.
  postgres: {
    variable: "LARDER_POSTGRES",
    package: "postgresql",
    folder: "usr/lib/postgresql/*/bin"
  },
  mariadbd: { variable: "LARDER_MARIADBD", package: "mariadb-server-core", folder: "usr/sbin" },
  "libfaketimeMT.so.1": { variable: "LARDER_LIBFAKETIME", package: "libfaketime" }
} satisfies Record<string, Source>

export type Name = keyof typeof sources

const cache = fileURLToPath(new URL("../../node_modules/.cache/servers", import.meta.url))

const found = new Map<Name, Effect.Effect<Program, ServerMissing>>()

/** Looked for once a process. */
export const find = (name: Name): Effect.Effect<Program, ServerMissing> => {
  const known = found.get(name)
  if (known !== undefined) return known
  const search = Effect.runSync(Effect.cached(Effect.provide(look(name), NodeContext.layer)))
  found.set(name, search)
  return search
}

const look = (name: Name) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { linkTo, package: packageName, variable }: Source = sources[name]
    const named = process.env[variable]
    if (named !== undefined && named !== "") {
      if (yield* fs.exists(named)) return { path: named, env: {} }
      return yield* missing(name, `${variable} says ${named}, where there is no such file`)
    }
    const installed = yield* firstOf(yield* placesOnSystem(name))
    if (installed !== undefined) return { path: installed, env: {} }

    const folder = Path.join(cache, packageName)
    if (!(yield* fs.exists(folder))) {
      yield* Apt.unpack(packageName, folder, (root) =>
        linkTo === undefined ? Effect.void : fs.symlink(linkTo, Path.join(root, "usr/bin", name))
      )
    }
    const libraries = yield* librariesOf(folder)
    const unpacked = yield* firstOf(
      isLibrary(name) ? inside(libraries, name) : yield* placesIn(folder, name)
    )
    if (unpacked === undefined) return yield* missing(name, `it is not in ${folder}`)
    return { path: unpacked, env: { LD_LIBRARY_PATH: libraries.join(":") } }
  }).pipe(
    Effect.catchAll((error) =>
      error._tag === "ServerMissing" ? error : missing(name, error.message, error)
    )
  )

const missing = (name: Name, why: string, cause?: unknown) => {
  const { package: packageName, variable } = sources[name]
  const advice = `Install it (in Debian it is in ${packageName}), or name its file in ${variable}.`
  return new ServerMissing({ program: name, message: `no ${name}: ${why}\n${advice}`, cause })
}

const isLibrary = (name: Name) => name.includes(".so")

const placesOnSystem = (name: Name) =>
  Effect.gen(function* () {
    if (isLibrary(name)) return inside(yield* librariesOf("/"), name)
    const named = (process.env["PATH"] ?? "")
      .split(Path.delimiter)
      .filter(Path.isAbsolute)
      .map((folder) => Path.join(folder, name))
    return [...named, ...(yield* placesIn("/", name))]
  })

/** Of several versions the newest comes first. */
const placesIn = (root: string, name: Name) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { folder = "usr/bin" }: Source = sources[name]
    const [before = "", after] = folder.split("*")
    if (after === undefined) return [Path.join(root, folder, name)]
    const versions = yield* Effect.orElseSucceed(
      fs.readDirectory(Path.join(root, before)),
      () => []
    )
    return versions
      .toSorted((one, other) => Number(other) - Number(one))
      .map((version) => Path.join(root, before, version, after, name))
  })

/** A folder for each machine, as Debian has it, and then the common one. */
const librariesOf = (root: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = Path.join(root, "usr/lib")
    const inner = yield* Effect.orElseSucceed(fs.readDirectory(folder), () => [])
    const machines = inner.filter((name) => name.endsWith("-linux-gnu"))
    return [...machines.map((name) => Path.join(folder, name)), folder]
  })

const inside = (libraries: ReadonlyArray<string>, name: Name) =>
  libraries.map((folder) => Path.join(folder, "faketime", name))

const firstOf = (paths: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    for (const path of paths) {
      // A folder that we may not look into is none of ours.
      if (yield* Effect.orElseSucceed(fs.exists(path), () => false)) return path
    }
    return undefined
  })
