/**
 * Programs out of the distribution's packages, without root: downloaded and unpacked into a folder.
 *
 * What apt knows already is tried first. Where it does not know the package (a newer one, or lists
 * that were thrown away), a second try fetches lists of its own, into a temporary folder: those of
 * the system's own sources and of their backports.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as Path from "node:path"
import { promisify } from "node:util"

class AptFailed extends Data.TaggedError("AptFailed")<{
  readonly message: string
  readonly cause?: unknown
}> {}

/**
 * Unpacks a package, and what it needs and the system lacks, as the folder `target`.
 *
 * The folder appears whole or not at all, whoever else is filling it: it is renamed when done.
 */
export const unpack = <E, R>(
  name: string,
  target: string,
  finish: (root: string) => Effect.Effect<void, E, R>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const cache = Path.dirname(target)
      yield* fs.makeDirectory(cache, { recursive: true })
      const work = yield* fs.makeTempDirectoryScoped({ directory: cache, prefix: `.${name}-` })
      yield* Effect.orElse(download(name, work, []), () =>
        Effect.flatMap(ownLists(work), (options) => download(name, work, options))
      )
      const root = Path.join(work, "root")
      for (const file of yield* fs.readDirectory(work)) {
        if (file.endsWith(".deb")) yield* run("dpkg", ["-x", file, root], work)
      }
      yield* finish(root)
      // Another process may have been first: what it put there is as good.
      yield* Effect.catchAll(fs.rename(root, target), (error) =>
        Effect.filterOrFail(fs.exists(target), Boolean, () => error)
      )
    })
  )

/** The package and whatever it needs that is not installed, into the folder. */
const download = (name: string, into: string, options: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const install = ["install", "--simulate", "--reinstall", "--no-install-recommends", name]
    const plan = yield* run("apt-get", [...options, ...install], into)
    const packages = [...plan.matchAll(/^Inst (\S+) (?:\[\S+\] )?\((\S+)/gm)]
    if (packages.length === 0) {
      return yield* new AptFailed({ message: `apt would not install ${name}:\n${plan}` })
    }
    const files = packages.map(([, name, version]) => `${name}=${version}`)
    yield* run("apt-get", [...options, "download", ...files], into)
  })

/** Options with which apt sees fresh lists of the system's own sources and their backports. */
const ownLists = (work: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const parts = Path.join(work, "sources")
    const folders = [parts, Path.join(work, "lists", "partial"), Path.join(work, "cache")]
    yield* Effect.forEach(folders, (folder) => fs.makeDirectory(folder, { recursive: true }))
    yield* writeSources(parts)
    const settings = {
      "Dir::Etc::sourcelist": "/dev/null",
      "Dir::Etc::sourceparts": parts,
      "Dir::State::lists": Path.join(work, "lists"),
      "Dir::Cache": Path.join(work, "cache"),
      "Acquire::Languages": "none",
      // Root would hand the download to a user who may not write here.
      "APT::Sandbox::User": "root"
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`])
    // Sources without backports, and those that cannot be reached, do not matter unless the package
    // is missed: then its download says so.
    yield* Effect.ignore(run("apt-get", [...options, "update"], work))
    return options
  })

const writeSources = (parts: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const release = yield* fs.readFileString("/etc/os-release")
    const codename = /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1]
    if (codename === undefined) return yield* new AptFailed({ message: "no VERSION_CODENAME" })
    const listed = yield* Effect.orElseSucceed(
      fs.readDirectory("/etc/apt/sources.list.d"),
      () => []
    )
    const files = ["sources.list", ...listed.map((file) => `sources.list.d/${file}`)]
    for (const [index, file] of files.entries()) {
      const path = `/etc/apt/${file}`
      const text = yield* Effect.orElseSucceed(fs.readFileString(path), () => "")
      const isStanzas = file.endsWith(".sources")
      const sources = withBackports(text, codename, isStanzas)
      const part = `${index}.${isStanzas ? "sources" : "list"}`
      yield* fs.writeFileString(Path.join(parts, part), sources)
    }
  })

/** Of apt's sources those of this release, and each once more for the release's backports. */
const withBackports = (text: string, codename: string, isStanzas: boolean): string => {
  const release = new RegExp(`(?<!\\S)${codename}(?!\\S)`)
  const entries = text.split(isStanzas ? /\n(?:[ \t]*\n)+/ : "\n").filter((entry) => {
    const isBinary = isStanzas || /^deb\s/.test(entry)
    return isBinary && new RegExp(`(?<!\\S)${codename}`).test(entry)
  })
  const suites = isStanzas ? /^Suites:.*$/m : release
  const backports = `${isStanzas ? "Suites: " : ""}${codename}-backports`
  const additional = entries
    .filter((entry) => release.test(entry))
    .map((entry) => entry.replace(suites, backports))
  return [...entries, ...additional, ""].join(isStanzas ? "\n\n" : "\n")
}

const run = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.tryPromise({
    try: async () => {
      // What apt says is read, so it must not be translated.
      const env = { ...process.env, LC_ALL: "C" }
      const { stdout } = await promisify(execFile)(command, args, { cwd, env })
      return stdout
    },
    catch: (cause) => {
      const isAbsent = cause instanceof Error && "code" in cause && cause.code === "ENOENT"
      const message = isAbsent ? `there is no ${command} to fetch it` : String(cause)
      return new AptFailed({ message, cause })
    }
  })
