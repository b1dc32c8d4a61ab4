/** Package managers and runtimes besides npm and Node, out of the registry. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { run } from "./run.js"

const versions = { pnpm: "12.21.0", bun: "1.4.5", deno: "2.9.6" }

export type Tool = keyof typeof versions

/** Where its program is in the package for one platform. */
const programIn: Readonly<Record<Tool, string>> = { pnpm: "pnpm", bun: "bin/bun", deno: "deno" }

const cache = fileURLToPath(new URL("../../node_modules/.cache/package/tools", import.meta.url))

export const installTools = async (): Promise<void> => {
  const manifest = JSON.stringify({ private: true, dependencies: versions })
  const installed = Path.join(cache, "installed.json")
  if (Fs.existsSync(installed) && Fs.readFileSync(installed, "utf8") === manifest) return
  Fs.rmSync(cache, { recursive: true, force: true })
  Fs.mkdirSync(cache, { recursive: true })
  Fs.writeFileSync(Path.join(cache, "package.json"), manifest)
  await run(cache, ["npm", "install", "--ignore-scripts", "--no-audit", "--no-package-lock"])
  Fs.writeFileSync(installed, manifest)
}

/** Each names a package for every platform; npm has installed the one for this, if there is one. */
export const programOf = (tool: Tool): string | undefined => {
  const modules = Path.join(cache, "node_modules")
  const manifest = Fs.readFileSync(Path.join(modules, tool, "package.json"), "utf8")
  const { optionalDependencies } = JSON.parse(manifest) as {
    readonly optionalDependencies: Readonly<Record<string, string>>
  }
  return Object.keys(optionalDependencies)
    .map((name) => Path.join(modules, name, programIn[tool]))
    .find((file) => Fs.existsSync(file))
}
