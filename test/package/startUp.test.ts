import { expect, it } from "@effect/vitest"
import { build } from "esbuild"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { inside } from "./packed.js"
import { run } from "./run.js"

const rounds = 9

/** Of processor time, for this machine may have other things to do, besides what `effect` takes. */
const limit = 1.5

const timing = `
  const before = process.cpuUsage()
  await import(process.argv[2])
  const { user, system } = process.cpuUsage(before)
  console.log((user + system) / 1_000)
`

/** The modules of `effect` that the root entry imports. */
const modulesOfEffect = async (): Promise<ReadonlyArray<string>> => {
  const { metafile } = await build({
    stdin: { contents: 'import * as Larder from "effect-larder"; Larder', resolveDir: inside },
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "node",
    ignoreAnnotations: true,
    external: ["effect/*"]
  })
  const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
  return [...new Set(imports.filter((it) => it.external).map(({ path }) => path))]
}

const median = (samples: ReadonlyArray<number>): number =>
  samples.toSorted((a, b) => a - b)[samples.length >> 1] ?? NaN

it("effect-larder is imported in little more time than what it needs of effect", async () => {
  const modules = await modulesOfEffect()
  expect(modules).toContain("effect/Effect")
  const write = (name: string, text: string) => Fs.writeFileSync(Path.join(inside, name), text)
  write("timing.mjs", timing)
  write("effect.mjs", modules.map((module) => `import "${module}"\n`).join(""))
  write("larder.mjs", 'import "effect-larder"\n')
  const time = async (file: string) =>
    Number(await run(inside, [process.execPath, "timing.mjs", file]))

  const alone: Array<number> = []
  const together: Array<number> = []
  for (let round = 0; round < rounds; round++) {
    alone.push(await time("./effect.mjs"))
    together.push(await time("./larder.mjs"))
  }
  const [baseline, ours] = [median(alone), median(together)]
  const ms = (millis: number) => `${millis.toFixed(0)} ms`
  console.log(
    `effect-larder: ${ms(ours)} of processor time, ${modules.length} modules of effect alone: ` +
      `${ms(baseline)}; ${(ours / baseline).toFixed(2)} times, at most ${limit}`
  )
  expect(ours / baseline).toBeLessThan(limit)
})
