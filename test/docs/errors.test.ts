import { describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import ts from "typescript"
import { read, root } from "../../scripts/docs/pages.js"

// Whatever the package can say is explained on a page: whoever finds a line in a log, and searches
// for it, finds what to do. What differs from case to case is written `…` there.

const page = read("docs/errors-and-log-lines.md").replace(/\s+/g, " ")

/** The texts that an expression may be, as the page has them. */
const textsOf = (node: ts.Expression | undefined): ReadonlyArray<string> => {
  if (node === undefined) return []
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (ts.isParenthesizedExpression(node)) return textsOf(node.expression)
  if (ts.isIdentifier(node)) return textsOf(constants(node.getSourceFile()).get(node.text))
  if (ts.isConditionalExpression(node)) {
    return [...textsOf(node.whenTrue), ...textsOf(node.whenFalse)]
  }
  if (ts.isTemplateExpression(node)) {
    const rest = node.templateSpans.map(({ literal }) => `…${literal.text}`)
    return [(node.head.text + rest.join("")).replace(/…+/g, "…")]
  }
  if (ts.isArrayLiteralExpression(node)) return node.elements.flatMap(textsOf)
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.PlusToken) {
    return partsOf(node.left).flatMap((left) =>
      partsOf(node.right).map((right) => (left + right).replace(/…+/g, "…"))
    )
  }
  return []
}

const partsOf = (node: ts.Expression): ReadonlyArray<string> => {
  const texts = textsOf(node)
  return texts.length === 0 ? ["…"] : texts
}

const constants = (source: ts.SourceFile): ReadonlyMap<string, ts.Expression> =>
  new Map(
    source.statements
      .filter(ts.isVariableStatement)
      .flatMap(({ declarationList }) => declarationList.declarations)
      .flatMap(({ initializer, name }) =>
        initializer === undefined ? [] : [[name.getText(source), initializer] as const]
      )
  )

/** Which of its arguments such a call says. */
const sayings: Readonly<Record<string, number>> = {
  "Effect.logError": 0,
  "Effect.logWarning": 0,
  "Effect.logInfo": 0,
  "Effect.logDebug": 0,
  Error: 0,
  // An operator's: the reason that `health` gives.
  "Option.some": 0,
  say: 2,
  refuse: 0,
  // What a setting may be, in code and in the environment.
  wrong: 2,
  wrongness: 2,
  read: 2,
  "ConfigError.InvalidData": 1,
  // Of storages: a detail, or why something cannot be read.
  invalid: 1,
  missing: 0,
  notOurs: 2,
  undecodable: 2
}

/** Properties and constants that hold what is said. */
const saidNames = /^(what|detail|advice|why|named|answers|denied|isNoText)$/

/** What such a function returns is said: of an error, and of what cannot be stored or read. */
const isSaying = (node: ts.Node): boolean =>
  (ts.isGetAccessorDeclaration(node) && node.name.getText() === "message") ||
  (ts.isVariableDeclaration(node) &&
    /^(what(Of|Is|Else)|(wrongIn|decodeStored|explain)$)/.test(node.name.getText()))

const textsIn = (source: ts.SourceFile): ReadonlyArray<string> => {
  const texts: Array<string> = []
  const visit = (node: ts.Node, isSaid: boolean): void => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const argument = sayings[node.expression.getText(source)]
      if (argument !== undefined) texts.push(...textsOf(node.arguments?.[argument]))
    }
    if (
      (ts.isPropertyAssignment(node) || ts.isVariableDeclaration(node)) &&
      saidNames.test(node.name.getText(source))
    ) {
      texts.push(...textsOf(node.initializer))
    }
    if (isSaid && ts.isReturnStatement(node)) texts.push(...textsOf(node.expression))
    ts.forEachChild(node, (child) => visit(child, isSaid || isSaying(node)))
  }
  visit(source, false)
  return texts.map((text) => text.trim()).filter((text) => /\w/.test(text))
}

const parse = (name: string, text: string): ts.SourceFile =>
  ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)

const said = Fs.readdirSync(Path.join(root, "src"), { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts") && !file.startsWith("testing/"))
  .flatMap((file) => textsIn(parse(file, read(`src/${file}`))).map((text) => [text, file] as const))

describe("the page of errors and log lines", () => {
  it.each(said)("explains “%s”, of %s", (text) => {
    expect(page).toContain(text)
  })

  it("would notice what it does not explain", () => {
    const source = parse("new.ts", 'Effect.logWarning(`the ${what} is ` + "gone")')
    expect(textsIn(source)).toEqual(["the … is gone"])
    expect(page).not.toContain("the … is gone")
  })

  it("would notice each of the details that one error may have", () => {
    const source = parse("new.ts", 'const it = { detail: `${a} is ` + (b ? "lost" : "late") }')
    expect(textsIn(source)).toEqual(["… is lost", "… is late"])
    const why = parse("new.ts", "undecodable(backend, key, `it is of ${kind}`)")
    expect(textsIn(why)).toEqual(["it is of …"])
  })
})
