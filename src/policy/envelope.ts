/**
 * The stored form of an entry: a header of fixed width, then tags (none yet),
 * then the payload.
 *
 * @since 0.1.0
 */
import {
  type Codec,
  format,
  type Header,
  headerLength,
  readExpiresAt,
  type ReadHeader,
  readHeader,
  readTagsLength,
  writeHeader
} from "./header.js"

export {
  format,
  type Header,
  headerLength,
  offsets,
  type ReadHeader,
  timeDigits
} from "./header.js"

/**
 * What a backend holds of an entry: text or bytes, as it pleases; bytes where the
 * codec needs them.
 *
 * @since 0.1.0
 * @category models
 */
export type Encoded = string | Uint8Array

/**
 * The stored form: text for a text payload, bytes for bytes.
 *
 * @since 0.1.0
 */
export const encode = (header: Header, payload: Encoded): Encoded => {
  const text = writeHeader(header)
  if (typeof payload === "string") return text + payload
  const stored = new Uint8Array(text.length + payload.length)
  for (let at = 0; at < text.length; at++) stored[at] = text.charCodeAt(at)
  stored.set(payload, text.length)
  return stored
}

/**
 * The header as it stands, a character a byte: the identity of an entry, since
 * each write has a stamp of its own. `undefined` for what is too short or of
 * another format, or not ASCII; the fields are not checked, so that a broken
 * entry can be named too.
 *
 * @since 0.1.0
 */
export const headerText = (stored: Encoded): string | undefined => {
  const header = headerOf(stored)
  return header !== undefined && isAscii(header)
    ? toText.decode(header.subarray(0, headerLength))
    : undefined
}

/** Its bytes, and perhaps more behind them. */
const headerOf = (stored: Encoded): Uint8Array | undefined => {
  if (stored.length < headerLength) return undefined
  const bytes = typeof stored === "string" ? headerOfText(stored) : stored
  return bytes[0] === magic[0] && bytes[1] === magic[1] && bytes[2] === magic[2] ? bytes : undefined
}

const toBytes = /* @__PURE__ */ new TextEncoder()
const toText = /* @__PURE__ */ new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const magic = /* @__PURE__ */ toBytes.encode(format)
const scratch = /* @__PURE__ */ new Uint8Array(headerLength)

/** Until it is called again. */
const headerOfText = (text: string): Uint8Array => {
  toBytes.encodeInto(text, scratch.fill(0))
  return scratch
}

const isAscii = (header: Uint8Array): boolean => {
  for (let at = 0; at < headerLength; at++) if (header[at]! > 127) return false
  return true
}

/**
 * When an entry expires, in server milliseconds, `Infinity` for never;
 * `undefined` for what is no entry. Looks at nothing else, so the rest may still
 * be malformed: it is what a server-side script can afford to ask.
 *
 * @since 0.1.0
 */
export const expiresAtOf = (stored: Encoded): number | undefined => {
  const header = headerOf(stored)
  const time = header !== undefined && isAscii(header) ? readExpiresAt(header) : -1
  return time < 0 ? undefined : time
}

/**
 * What a stored form is made of.
 *
 * @since 0.1.0
 */
export interface Decoded {
  readonly header: ReadHeader
  readonly payload: Encoded
}

/**
 * Reads a stored form; `undefined` for anything malformed: a stranger's value,
 * another format, a truncated or damaged one.
 *
 * Codec `j` gives text and `b` gives bytes, whichever was stored. The bytes are
 * a view of what was handed in. A payload is not looked into: that its JSON
 * parses is not promised.
 *
 * @since 0.1.0
 */
export const decode = (stored: Encoded): Decoded | undefined => {
  const bytes = headerOf(stored)
  const header = bytes && readHeader(bytes)
  if (bytes === undefined || header === undefined) return undefined
  const tags = readTagsLength(bytes)
  if (tags < 0 || stored.length < headerLength + tags) return undefined
  const payload = readPayload(stored, headerLength + tags, header.codec)
  return payload === undefined ? undefined : { header, payload }
}

const readPayload = (stored: Encoded, from: number, codec: Codec): Encoded | undefined => {
  if (typeof stored !== "string") {
    return codec === "b" ? stored.subarray(from) : textOf(stored, from)
  }
  const text = stored.slice(from)
  if (codec === "j") return text
  // A driver that made text of bytes has put U+FFFD where they were no UTF-8:
  // those bytes are lost, and handing the rest to the user's codec is a lie.
  return text.includes("\ufffd") ? undefined : toBytes.encode(text)
}

const textOf = (bytes: Uint8Array, from: number): string | undefined => {
  const buffer = globalThis.Buffer
  if (buffer !== undefined && bytes instanceof buffer) {
    // Faster, but it puts U+FFFD where the bytes are no UTF-8.
    const text = bytes.toString("utf8", from)
    if (!text.includes("\ufffd")) return text
  }
  try {
    return toText.decode(bytes.subarray(from))
  } catch {
    return undefined
  }
}
