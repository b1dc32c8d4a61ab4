/** The reference: a page for each entry and namespace, and one that lists what is on them. */
import * as Fs from "node:fs"
import * as Path from "node:path"
import {
  Application,
  type Comment,
  type DeclarationReflection,
  type ProjectReflection,
  type Reflection,
  ReflectionKind,
  RendererEvent
} from "typedoc"
import { root } from "./pages.js"

/** Writes it to a folder. */
export const writeReference = async (out: string): Promise<void> => {
  const app = await Application.bootstrapWithPlugins({ out, options: root })
  // While it renders, and no longer, it knows where things are.
  let urls: ReadonlyMap<Reflection, string> = new Map()
  app.renderer.on(RendererEvent.END, ({ project }) => {
    const { router } = app.renderer
    const known = project.getReflectionsByKind(ReflectionKind.All)
    urls = new Map(
      known.flatMap((it) => (router?.hasUrl(it) === true ? [[it, router.getFullUrl(it)]] : []))
    )
  })
  const project = await app.convert()
  if (project === undefined) throw new Error("TypeDoc cannot read the sources")
  app.validate(project)
  await app.generateOutputs(project)
  if (app.logger.hasErrors() || app.logger.hasWarnings()) {
    throw new Error("TypeDoc has complaints: see above")
  }
  const link: Link = (it) => `[${it.name}](${urls.get(it) ?? ""})`
  Fs.writeFileSync(Path.join(out, "README.md"), indexOf(project, link))
}

type Link = (reflection: DeclarationReflection) => string

const indexOf = (project: ProjectReflection, link: Link): string =>
  [
    "# Reference",
    "Every export, by the entry that it is imported from and by what kind of thing it is.",
    ...(project.children ?? []).flatMap((entry) => [
      `## ${link(entry)}`,
      aboutOf(entry),
      ...listsOf(entry, link)
    ])
  ].join("\n\n") + "\n"

const listsOf = (of: DeclarationReflection, link: Link): ReadonlyArray<string> => {
  const children = of.children ?? []
  const lists = new Map<string, ReadonlyArray<string>>()
  for (const child of children.filter((child) => !isNamespace(child))) {
    const target = targetOf(child)
    const category = categoryOf(target)
    const line = `- ${link(child)}: ${aboutOf(target)}`
    lists.set(category, [...(lists.get(category) ?? []), line])
  }
  return [
    ...[...lists]
      .toSorted(([one], [other]) => rankOf(one) - rankOf(other))
      .map(([category, lines]) => `**${category}**\n\n${lines.join("\n")}`),
    ...children
      .filter(isNamespace)
      .flatMap((space) => [`### ${link(space)}`, aboutOf(space), ...listsOf(space, link)])
  ]
}

/** What one uses comes first; what one only looks at comes last. */
const first = ["tags", "constructors", "layers"]
const last = ["models", "errors"]
const rankOf = (category: string): number =>
  [...first, "", ...last].indexOf([...first, ...last].includes(category) ? category : "")

const categoryOf = (it: DeclarationReflection): string => {
  const parent = it.parent as DeclarationReflection | undefined
  return parent?.categories?.find(({ children }) => children.includes(it))?.title ?? "other"
}

const isNamespace = (reflection: DeclarationReflection): boolean =>
  reflection.kindOf(ReflectionKind.Namespace)

const targetOf = (reflection: DeclarationReflection): DeclarationReflection => {
  if (!reflection.isReference()) return reflection
  const target = reflection.tryGetTargetReflectionDeep()
  return target?.isDeclaration() === true ? target : reflection
}

/** The first sentence of what it says of itself. */
const aboutOf = ({ comment, signatures }: DeclarationReflection): string => {
  const text = textOf(comment ?? signatures?.[0]?.comment)
  return /^.*?\.(?=\s|$)/.exec(text)?.[0] ?? text
}

const textOf = (comment: Comment | undefined): string =>
  (comment?.summary ?? [])
    .map(({ text }) => text)
    .join("")
    .replace(/\s+/g, " ")
    .trim()
