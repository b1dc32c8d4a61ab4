import { describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

// What must compile and what must not. A file in test/types is one statement, named by the file:
// it compiles as it stands, and each line that must not compile is below a @ts-expect-error,
// which is itself an error once that line compiles.

const root = fileURLToPath(new URL("..", import.meta.url))
const folder = Path.join(root, "test/types")
const ending = ".test-d.ts"

const statements = Fs.existsSync(folder)
  ? Fs.readdirSync(folder).filter((file) => file.endsWith(ending))
  : []

/** The complaints of the compiler about these files alone, under the project's own options. */
const complaintsAbout = (texts: ReadonlyMap<string, string>): ReadonlyMap<string, string[]> => {
  const config = ts.getParsedCommandLineOfConfigFile(
    Path.join(root, "tsconfig.node.json"),
    {},
    {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
        throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"))
      }
    }
  )
  const options = config?.options ?? {}
  const host = ts.createCompilerHost(options)
  const read = host.readFile
  const exists = host.fileExists
  host.readFile = (file) => texts.get(file) ?? read(file)
  host.fileExists = (file) => texts.has(file) || exists(file)
  const program = ts.createProgram([...texts.keys()], options, host)
  const complaintsIn = (file: string): string[] => {
    const source = program.getSourceFile(file)
    return ts.getPreEmitDiagnostics(program, source).map((diagnostic) => {
      const at = source?.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line ?? -1
      return `line ${at + 1}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n")}`
    })
  }
  return new Map([...texts.keys()].map((file) => [file, complaintsIn(file)]))
}

describe("types", { timeout: 120_000 }, () => {
  const pathOf = (file: string) => Path.join(folder, file)
  const offending = {
    unused: "// @ts-expect-error\nexport const fine: number = 1",
    wrong: 'export const n: number = "one"',
    inexact: "export const o: { a?: number } = { a: undefined }"
  }
  const texts = new Map([
    ...statements.map((file) => [pathOf(file), Fs.readFileSync(pathOf(file), "utf8")] as const),
    ...Object.entries(offending).map(([name, text]) => [pathOf(name + ending), text] as const)
  ])
  let complaints: ReadonlyMap<string, string[]> | undefined
  const complaintsIn = (file: string) => (complaints ??= complaintsAbout(texts)).get(pathOf(file))

  it("are stated once there is a cache", () => {
    expect(statements.length > 0 || !Fs.existsSync(Path.join(root, "src/Cache.ts"))).toBe(true)
  })

  it.each(statements.map((file) => [file.slice(0, -ending.length).replaceAll("-", " "), file]))(
    "%s",
    (_, file) => {
      expect(complaintsIn(file)).toEqual([])
    }
  )

  it.each([
    ["unused", "Unused '@ts-expect-error' directive"],
    ["wrong", "not assignable to type 'number'"],
    ["inexact", "exactOptionalPropertyTypes"]
  ])("that are wrong are seen: %s", (name, complaint) => {
    expect(complaintsIn(name + ending)).toEqual([expect.stringContaining(complaint)])
  })
})
