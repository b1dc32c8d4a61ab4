/** A worker's TypeScript as one file of JavaScript: `node` alone starts in a fraction of the time. */
import * as Effect from "effect/Effect"
import type * as Esbuild from "esbuild"
import { createHash } from "node:crypto"
import * as Fs from "node:fs/promises"
import { createRequire } from "node:module"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"

const cache = fileURLToPath(new URL("../../node_modules/.cache/workers", import.meta.url))

const bundled = new Map<string, Promise<string>>()

/**
 * Gives the path of the bundle. Done once a process; who does it at the same time in another writes
 * the same file.
 */
export const bundle = (file: string): Effect.Effect<string> =>
  Effect.promise(() => {
    const known = bundled.get(file) ?? write(file)
    bundled.set(file, known)
    return known
  })

const write = async (file: string): Promise<string> => {
  const code = await compile(file)
  const hash = createHash("sha256").update(code).digest("hex").slice(0, 16)
  const target = Path.join(cache, `${Path.parse(file).name}-${hash}.mjs`)
  await Fs.mkdir(cache, { recursive: true })
  // Renamed into place: nobody may run half of it.
  const part = `${target}.${process.pid}`
  await Fs.writeFile(part, code)
  await Fs.rename(part, target)
  return target
}

/** The package's own name means what the `paths` of the nearest tsconfig.json say. */
const compile = async (file: string): Promise<Uint8Array> => {
  const { outputFiles } = await esbuild().build({
    entryPoints: [file],
    bundle: true,
    write: false,
    platform: "node",
    format: "esm",
    target: "node20",
    // No source map: inline it takes longer to read than all the rest to run.
    logLevel: "silent",
    // Native.
    external: ["better-sqlite3"],
    // What is CommonJS inside still asks for Node's modules by `require`.
    banner: {
      js: 'import { createRequire as $require } from "node:module"; const require = $require(import.meta.url);'
    }
  })
  const [output] = outputFiles
  if (output === undefined) throw new Error(`esbuild made nothing of ${file}`)
  return output.contents
}

/** The one that tsx brings. */
const esbuild = (): typeof Esbuild => {
  const require = createRequire(import.meta.url)
  return createRequire(require.resolve("tsx/package.json"))("esbuild")
}
