/** What the compiler says of texts that are in no file. */
import * as Path from "node:path"
import ts from "typescript"
import { root } from "../../scripts/docs/pages.js"

const optionsOfProject = (): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(Path.join(root, "tsconfig.node.json"), ts.sys.readFile)
  return ts.parseJsonConfigFileContent(config, ts.sys, root).options
}

/** The project's own options hold, and names are as if the texts were files in its root. */
export const compile = (
  files: ReadonlyArray<string>,
  texts: ReadonlyMap<string, string> = new Map()
): ts.Program => {
  const options = optionsOfProject()
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.readFile = (file) => texts.get(file) ?? readFile(file)
  host.fileExists = (file) => texts.has(file) || fileExists(file)
  return ts.createProgram([...files, ...texts.keys()], options, host)
}

/** By a name for each, which the complaints begin with. */
export const complaintsAbout = (named: Readonly<Record<string, string>>): ReadonlyArray<string> => {
  const texts = new Map(
    Object.entries(named).map(([name, text], index) => [
      Path.join(root, `text-${index}.ts`),
      { name, text }
    ])
  )
  const program = compile([], new Map([...texts].map(([file, { text }]) => [file, text])))
  return [...texts].flatMap(([file, { name }]) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(file))
      .map(({ messageText }) => `${name}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`)
  )
}
