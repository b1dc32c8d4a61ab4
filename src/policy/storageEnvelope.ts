/**
 * The stored form of a lasting entry in a store that knows texts alone.
 *
 *     larder-storage:1 version=0 created=1763797138123 expires=never metadata=2 value=11⏎
 *     {}⏎
 *     {"rows":10}
 *
 * Legible to whoever looks at it with the store's own tools. Times are milliseconds since
 * 1970 by the store's clock; the lengths count UTF-16 code units, so that what has been cut
 * off, or added, is found out.
 *
 * @since 0.1.0
 */

/**
 * What stands at a key, but for the key; `expiresAt` is `Infinity` for never.
 *
 * @since 0.1.0
 */
export interface StoredForm {
  readonly value: string
  readonly metadata: string
  readonly version: number
  readonly createdAt: number
  readonly expiresAt: number
}

const name = "larder-storage"
const form = 1

/**
 * The part that says what an entry is: ASCII, with the line feed that ends it.
 *
 * @since 0.1.0
 */
export interface StoredHead extends Pick<StoredForm, "version" | "createdAt" | "expiresAt"> {
  readonly text: string
  readonly metadataLength: number
  readonly valueLength: number
}

const timeText = (time: number): string => (time === Infinity ? "never" : String(time))

/**
 * The stored form.
 *
 * @since 0.1.0
 */
export const encodeStored = (entry: StoredForm): string =>
  `${name}:${form} version=${entry.version} created=${entry.createdAt} ` +
  `expires=${timeText(entry.expiresAt)} metadata=${entry.metadata.length} ` +
  `value=${entry.value.length}\n${entry.metadata}\n${entry.value}`

const head =
  /^larder-storage:1 version=(\d{1,16}) created=(\d{1,16}) expires=(\d{1,16}|never) metadata=(\d{1,10}) value=(\d{1,10})\n/

/**
 * No head is longer.
 *
 * @since 0.1.0
 */
export const longestHead = 140

/**
 * Reads the head, of a stored form or of what it begins with; `undefined`: it has none.
 *
 * @since 0.1.0
 */
export const readHead = (stored: string): StoredHead | undefined => {
  const found = head.exec(stored)
  if (found === null) return undefined
  return {
    text: found[0],
    version: Number(found[1]),
    createdAt: Number(found[2]),
    expiresAt: found[3] === "never" ? Infinity : Number(found[3]),
    metadataLength: Number(found[4]),
    valueLength: Number(found[5])
  }
}

/**
 * Reads a stored form, or says in words what is wrong with it.
 *
 * @since 0.1.0
 */
export const decodeStored = (stored: string): StoredForm | string => {
  const it = readHead(stored)
  if (it === undefined) return whatElse(stored)
  const metadataAt = it.text.length
  const valueAt = metadataAt + it.metadataLength + 1
  if (stored.length !== valueAt + it.valueLength || stored[valueAt - 1] !== "\n") {
    return "it is not as long as it says: it has been cut off, or changed"
  }
  return {
    value: stored.slice(valueAt),
    metadata: stored.slice(metadataAt, valueAt - 1),
    version: it.version,
    createdAt: it.createdAt,
    expiresAt: it.expiresAt
  }
}

const whatElse = (stored: string): string => {
  const other = /^larder-storage:(\d{1,9}) /.exec(stored)?.[1]
  if (other === undefined) return "it is a text that no storage of effect-larder has written"
  return other === String(form)
    ? "its first line is damaged"
    : `it is stored in form ${other}, and this version of effect-larder reads form ${form}`
}
