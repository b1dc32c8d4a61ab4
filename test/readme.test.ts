import { describe, expect, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import ts from "typescript"

// What the README says to type compiles, and what it says is printed is printed.

const root = fileURLToPath(new URL("..", import.meta.url))
const readme = Fs.readFileSync(Path.join(root, "README.md"), "utf8")

interface Block {
  readonly name: string
  readonly code: string
  /** The block below it, if that is what it prints. */
  readonly output: string | undefined
}

const blocks: ReadonlyArray<Block> = Array.from(
  readme.matchAll(/^```ts\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?/gms),
  ([, code = "", output], index) => ({ name: `block ${index + 1}`, code, output })
)

/** Says so in its first line: `// examples/first-steps.ts`. */
const fileOf = ({ code }: Block): string | undefined => /^\/\/ (examples\/\S+)\n/.exec(code)?.[1]

const quotes = blocks.filter((block) => fileOf(block) !== undefined)
const programs = blocks.filter((block) => fileOf(block) === undefined)
const printing = programs.filter(({ output }) => output !== undefined)

const complaintsAbout = (texts: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const file = Path.join(root, "tsconfig.node.json")
  const { config } = ts.readConfigFile(file, ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.readFile = (file) => texts.get(file) ?? readFile(file)
  host.fileExists = (file) => texts.has(file) || fileExists(file)
  const program = ts.createProgram([...texts.keys()], options, host)
  return [...texts.keys()].flatMap((file) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .map(
        ({ messageText }) =>
          `${Path.basename(file)}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
      )
  )
}

const outputOf = async (code: string): Promise<string> => {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  })
  const { PATH, SystemRoot } = process.env
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "--eval", outputText],
    { cwd: root, env: { PATH, SystemRoot } }
  )
  return stdout
}

describe("the README", { timeout: 120_000 }, () => {
  it("begins with a program and its output", () => {
    expect(blocks[0]?.output).toBeDefined()
    expect(blocks[0]?.code.trimEnd().split("\n").length).toBeLessThanOrEqual(20)
  })

  it("shows only programs that compile", () => {
    const texts = new Map(
      programs.map(({ code, name }) => [Path.join(root, `${name.replace(" ", "-")}.ts`), code])
    )
    expect(complaintsAbout(texts)).toEqual([])
  })

  it("would notice one that does not", () => {
    const texts = new Map([
      [Path.join(root, "wrong.ts"), 'import { Cache } from "effect-larder"\nCache.getOrCreat("k")']
    ])
    expect(complaintsAbout(texts)).toEqual([expect.stringContaining("getOrCreat")])
  })

  it.each(printing.map((block) => [block.name, block] as const))(
    "says what %s prints",
    async (_, { code, output }) => {
      expect(await outputOf(code)).toBe(output)
    }
  )

  it.each(quotes.map((block) => [fileOf(block) ?? "", block] as const))(
    "quotes %s as it is",
    (file, { code }) => {
      expect(code.slice(code.indexOf("\n") + 1).trim()).toBe(
        Fs.readFileSync(Path.join(root, file), "utf8").trim()
      )
    }
  )

  it("links to files and headings that are there", () => {
    const headings = Array.from(readme.matchAll(/^#+ (.*)$/gm), ([, heading = ""]) =>
      heading.toLowerCase().replaceAll(" ", "-")
    )
    const targets = Array.from(readme.matchAll(/\]\((?!https?:)([^)]+)\)/g), ([, to = ""]) => to)
    const broken = targets.filter((to) =>
      to.startsWith("#") ? !headings.includes(to.slice(1)) : !Fs.existsSync(Path.join(root, to))
    )
    expect(targets.length).toBeGreaterThan(0)
    expect(broken).toEqual([])
  })
})
