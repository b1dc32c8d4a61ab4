import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll } from "vitest"
import { read, root } from "../../scripts/docs/pages.js"
import { started } from "../redis/backends.js"
import { withoutLog } from "./withoutLog.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"

// What the page says to type, in a folder that has nothing but the tarball beside it.

const page = read("docs/quickstart.md")

interface Block {
  readonly language: string
  readonly text: string
}

const blocks: ReadonlyArray<Block> = Array.from(
  page.matchAll(/^```(\w+)\n([^]*?)^```$/gm),
  ([, language = "", text = ""]) => ({ language, text })
)
/** From the one that makes the project on. */
const typed = blocks.slice(blocks.findIndex(({ text }) => text.includes("mkdir shop")))

const run = async (cwd: string, command: string, env: NodeJS.ProcessEnv): Promise<string> => {
  const { stdout } = await promisify(execFile)("sh", ["-e", "-c", command], { cwd, env })
  return stdout
}

/** As `npm pack` makes it, but built elsewhere: others may be using `dist`. */
const pack = async (into: string): Promise<void> => {
  const folder = Path.join(into, "clone")
  Fs.mkdirSync(folder)
  for (const file of ["package.json", "README.md", "LICENSE"]) {
    Fs.copyFileSync(Path.join(root, file), Path.join(folder, file))
  }
  const compiler = Path.join(root, "node_modules/typescript/bin/tsc")
  await promisify(execFile)(process.execPath, [
    ...[compiler, "-p", Path.join(root, "tsconfig.build.json")],
    ...["--outDir", Path.join(folder, "dist")]
  ])
  await run(folder, "npm pack --ignore-scripts --pack-destination ..", process.env)
}

const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "larder-quickstart-"))
afterAll(() => Fs.rmSync(folder, { recursive: true }))

describe("the quickstart", () => {
  it("has a project, a program and two runs of it", () => {
    expect(typed.map(({ language }) => language)).toEqual([
      "sh",
      "ts",
      "sh",
      "text",
      "sh",
      "text",
      "sh"
    ])
  })
})

describeWithServer("the quickstart", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))
  beforeAll(() => pack(folder), 120_000)

  it("does what it says, from an empty folder on", async () => {
    const { url } = await Effect.runPromise(server)
    const { PATH, HOME } = process.env
    const reaching = Object.entries(process.env).filter(([name]) =>
      /^(npm_config_|https?_proxy$|no_proxy$)/i.test(name)
    )
    const env = { PATH, HOME, ...Object.fromEntries(reaching), REDIS_URL: url }
    const [project, program, first, firstOutput, second, secondOutput] = typed

    await run(Path.join(folder, "clone"), project!.text, {
      ...env,
      npm_config_prefer_offline: "true"
    })
    const shop = Path.join(folder, "shop")
    Fs.writeFileSync(Path.join(shop, "program.ts"), program!.text)

    expect(withoutLog(await run(shop, first!.text, env))).toBe(firstOutput!.text)
    expect(withoutLog(await run(shop, second!.text, env))).toBe(secondOutput!.text)
  }, 240_000)
})
