/**
 * Where an SQLite database is.
 *
 * @since 0.1.0
 */

/** A driver may be named, as SQLAlchemy has it: `sqlite+aiosqlite://`. Which one it is does not matter. */
const ours = /^sqlite(?:\+[a-z0-9_]+)?:(?:\/\/)?(.*)$/is
const anyScheme = /^[a-z][a-z0-9+.-]+:/i

/**
 * The file that a URL names, `:memory:` for none; `undefined` for what is another
 * database's.
 *
 *     sqlite:///larder.db       a file in the current folder
 *     sqlite:////var/larder.db  one by its whole path
 *     sqlite://                 in memory, as sqlite:///:memory:
 *     file:larder.db, file:///var/larder.db
 *     /var/larder.db            a path alone
 *
 * @since 0.1.0
 */
export const sqliteFile = (text: string): string | undefined => {
  const own = ours.exec(text)
  if (own !== null) return fileOf(own[1]!)
  if (/^file:/i.test(text)) return text.length > 5 ? ofFileUrl(text.slice(5)) : undefined
  // A letter and a colon are a drive.
  return text === "" || anyScheme.test(text) ? undefined : text
}

/** What follows the third slash; before it there would be a host, and there is none. */
const fileOf = (rest: string): string | undefined => {
  const path = decoded(rest)
  if (path === undefined) return undefined
  if (path === "" || path === "/" || path === ":memory:") return ":memory:"
  return path.startsWith("/") ? path.slice(1) : undefined
}

const ofFileUrl = (rest: string): string | undefined => {
  const path = decoded(rest.replace(/^\/\/(localhost)?(?=\/)/i, ""))
  return path === "" || path?.startsWith("//") ? undefined : path
}

/** Whoever sets a mode or a cache there means something by it, and would not get it. */
const decoded = (text: string): string | undefined => {
  if (/[?#]/.test(text)) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
