/** Before all tests: the package is built, packed, and unpacked where its weight is taken. */
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type { TestProject } from "vitest/node"
import { run } from "./run.js"
import { installTools } from "./tools.js"

declare module "vitest" {
  interface ProvidedContext {
    /** What `npm publish` would send. */
    readonly tarball: string
    /** Removed at the end; from here no package is found that is not installed here. */
    readonly outside: string
  }
}

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** A project with the package in its `node_modules`; `effect` is in those of the repository. */
export const inside = Path.join(root, "node_modules/.cache/package/unpacked")

export const unpacked = Path.join(inside, "node_modules/effect-larder")

export default async ({ provide }: TestProject) => {
  const outside = await Fs.promises.mkdtemp(Path.join(emptyPlace(), "effect-larder-"))
  const [tarball] = await Promise.all([pack(outside), installTools()])
  provide("tarball", tarball)
  provide("outside", outside)
  return () => Fs.promises.rm(outside, { recursive: true, force: true })
}

const pack = async (to: string): Promise<string> => {
  await run(root, ["npm", "pack", "--pack-destination", to])
  const [file] = Fs.readdirSync(to)
  if (file === undefined) throw new Error("npm pack has packed nothing")
  const tarball = Path.join(to, file)
  Fs.rmSync(inside, { recursive: true, force: true })
  await unpack(tarball, unpacked)
  // Without it the package's name would mean the repository, in which it is.
  Fs.writeFileSync(Path.join(inside, "package.json"), '{ "private": true }\n')
  return tarball
}

export const unpack = async (tarball: string, to: string): Promise<void> => {
  Fs.mkdirSync(to, { recursive: true })
  await run(to, ["tar", "-xzf", tarball, "--strip-components=1"])
}

/** With `node_modules` further up, a package would be found that nobody has installed. */
const emptyPlace = (): string => {
  const places = [Os.tmpdir(), "/var/tmp", Os.homedir()]
  const place = places.find((it) => foldersFrom(it).every(hasNoModules))
  if (place === undefined) throw new Error(`there is a node_modules above ${places.join(", ")}`)
  return place
}

const foldersFrom = (folder: string): ReadonlyArray<string> => {
  const above = Path.dirname(folder)
  return above === folder ? [folder] : [folder, ...foldersFrom(above)]
}

const hasNoModules = (folder: string): boolean => !Fs.existsSync(Path.join(folder, "node_modules"))
