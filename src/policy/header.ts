/**
 * The header of a stored entry.
 *
 *     L1 j v 01763712000000 01763715600000 01763715600000 01763715600000 000000120 000000002 …
 *     │  │ │ │              │              │              │              │         │
 *     │  │ │ createdAt      expiresAt      staleUntil     errorUntil     delta     version
 *     │  │ kind: v value, e cached failure, u undefined
 *     │  codec: j JSON text, b the user's bytes
 *     format                                     … stamp (16) tags (4) payload
 *
 * Fixed width, so that a server-side script finds a field with `string.sub`, and
 * ASCII, so that a character is a byte and `redis-cli GET` shows it.
 *
 * @since 0.1.0
 */

/**
 * What a payload is: `j` JSON text, `b` bytes of the user's own codec.
 *
 * @since 0.1.0
 */
export type Codec = "j" | "b"

/**
 * What an entry stands for: `v` a value, `e` a cached failure, `u` `undefined`.
 *
 * @since 0.1.0
 */
export type Kind = "v" | "e" | "u"

/**
 * What is known of an entry without its payload.
 *
 * Times are server milliseconds. Writing rounds them to whole ones, `createdAt`
 * down and all others up; negative numbers become 0, and what does not fit
 * saturates.
 *
 * @since 0.1.0
 */
export interface Header {
  readonly codec: Codec
  readonly kind: Kind
  readonly createdAt: number
  /** From here on not fresh; `Infinity`: never. */
  readonly expiresAt: number
  /** End of the stale-while-revalidate window; `Infinity`: never. */
  readonly staleUntil: number
  /** End of the stale-if-error window; `Infinity`: never. */
  readonly errorUntil: number
  /** How long the creator took, in milliseconds; 0: written by `set`. */
  readonly delta: number
  /** The region's version, below 10^9; 0: none. */
  readonly version: number
  /**
   * Unique to each write: exactly 16 of `0-9a-z`. Anything else is not refused
   * here, but reads back as malformed.
   */
  readonly stamp: string
}

// Not exported themselves: V8 folds a module's own constants into the code, but
// fetches exported ones each time, which makes reading half as fast.
const at = {
  codec: 3,
  kind: 5,
  createdAt: 7,
  expiresAt: 22,
  staleUntil: 37,
  errorUntil: 52,
  delta: 67,
  version: 77,
  stamp: 87,
  tags: 104
} as const
const halfTime = 7

/**
 * Where each field begins, counted from 0. For Lua's `string.sub`, which counts
 * from 1: `expiresAt` is `tonumber(string.sub(v, 23, 36))`, 14 nines mean
 * never, and an entry of ours begins with `format` and has `headerLength` bytes
 * or more. A change here is a change of format, and needs another first field.
 *
 * @since 0.1.0
 */
export const offsets = at

/**
 * Digits of a time. A time of all nines is never.
 *
 * @since 0.1.0
 */
export const timeDigits = 2 * halfTime

/**
 * Characters (and bytes) of a header, with the space that ends it.
 *
 * @since 0.1.0
 */
export const headerLength = 109

/**
 * What every entry of this format begins with.
 *
 * @since 0.1.0
 */
export const format = "L1 "

const countDigits = 9
const stampLength = 16
const tagsDigits = 4
const never = 10 ** (2 * halfTime) - 1
const space = 32
const gaps = [4, 6, 21, 36, 51, 66, 76, 86, 103, 108]

const field = (value: number, digits: number): string =>
  (value > 0 ? String(Math.min(value, 10 ** digits - 1)) : "").padStart(digits, "0")

const timeField = (value: number): string => field(Math.ceil(value), timeDigits)

/**
 * The text of a header, `headerLength` characters long.
 *
 * @since 0.1.0
 */
export const writeHeader = (header: Header): string =>
  `${format}${header.codec} ${header.kind} ${field(Math.floor(header.createdAt), timeDigits)} ` +
  `${timeField(header.expiresAt)} ${timeField(header.staleUntil)} ${timeField(header.errorUntil)} ` +
  `${field(Math.ceil(header.delta), countDigits)} ${field(Math.floor(header.version), countDigits)} ` +
  `${header.stamp} ${field(0, tagsDigits)} `

/**
 * What is read of a header: its stamp is only ever compared as it stands.
 *
 * @since 0.1.0
 */
export type ReadHeader = Omit<Header, "stamp">

/**
 * Reads a header from its bytes; `undefined` if any field is malformed. That they
 * begin with `format` and are enough is taken as seen to.
 *
 * @since 0.1.0
 */
export const readHeader = (bytes: Uint8Array): ReadHeader | undefined => {
  for (let index = 0; index < gaps.length; index++) {
    if (bytes[gaps[index]!] !== space) return undefined
  }
  const codec = readCodec(bytes[at.codec]!)
  const kind = readKind(bytes[at.kind]!)
  if (codec === undefined || kind === undefined || !isStamp(bytes)) return undefined
  const createdAt = readTime(bytes, at.createdAt)
  const expiresAt = readTime(bytes, at.expiresAt)
  const staleUntil = readTime(bytes, at.staleUntil)
  const errorUntil = readTime(bytes, at.errorUntil)
  const delta = readDigits(bytes, at.delta, countDigits)
  const version = readDigits(bytes, at.version, countDigits)
  if (Math.min(createdAt, expiresAt, staleUntil, errorUntil, delta, version) < 0) return undefined
  return { codec, kind, createdAt, expiresAt, staleUntil, errorUntil, delta, version }
}

/**
 * The expiry alone, `Infinity` for never; -1 if malformed.
 *
 * @since 0.1.0
 */
export const readExpiresAt = (bytes: Uint8Array): number => readTime(bytes, at.expiresAt)

/**
 * How many characters of tags stand between header and payload; -1 if
 * malformed. Written as 0 today, and to be skipped whatever it is: tags will be
 * ASCII, so that characters are bytes.
 *
 * @since 0.1.0
 */
export const readTagsLength = (bytes: Uint8Array): number => readDigits(bytes, at.tags, tagsDigits)

const letter = { b: 98, e: 101, j: 106, u: 117, v: 118 } as const

const readCodec = (code: number): Codec | undefined =>
  code === letter.j ? "j" : code === letter.b ? "b" : undefined

const readKind = (code: number): Kind | undefined =>
  code === letter.v ? "v" : code === letter.e ? "e" : code === letter.u ? "u" : undefined

// At most nine at a time, which V8 keeps a small integer all the way.
const readDigits = (bytes: Uint8Array, from: number, digits: number): number => {
  let number = 0
  for (let index = from; index < from + digits; index++) {
    const digit = bytes[index]! - 48
    if (digit < 0 || digit > 9) return -1
    number = (number * 10 + digit) | 0
  }
  return number
}

const readTime = (bytes: Uint8Array, from: number): number => {
  const high = readDigits(bytes, from, halfTime)
  const low = readDigits(bytes, from + halfTime, halfTime)
  if (high < 0 || low < 0) return -1
  const time = high * 10 ** halfTime + low
  return time === never ? Infinity : time
}

const isStamp = (bytes: Uint8Array): boolean => {
  for (let index = at.stamp; index < at.stamp + stampLength; index++) {
    const code = bytes[index]!
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 122))) return false
  }
  return true
}
