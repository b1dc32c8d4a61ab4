/**
 * Redis Cluster's hash slots.
 *
 * @since 0.1.0
 */

/**
 * What the server hashes instead of the whole key: from the first `{` to the
 * first `}` after it, if something is between. `undefined`: the whole key.
 *
 * @since 0.1.0
 */
export const hashTag = (key: string): string | undefined => {
  const open = key.indexOf("{")
  const close = open < 0 ? -1 : key.indexOf("}", open + 1)
  return close > open + 1 ? key.slice(open + 1, close) : undefined
}

/**
 * The Redis Cluster slot of a whole key, 0 to 16383: CRC16 (XMODEM) of its hash
 * tag in UTF-8, or of all of it. A lone surrogate counts as U+FFFD, which is
 * what a driver sends for it.
 *
 * @since 0.1.0
 */
export const slotOf = (key: string): number => {
  const hashed = hashTag(key) ?? key
  let crc = 0
  for (let at = 0; at < hashed.length; at++) {
    const code = hashed.charCodeAt(at)
    if (code > 127) return slotOfBytes(utf8.encode(hashed))
    crc = step(crc, code)
  }
  return crc & 0x3fff
}

const utf8 = /* @__PURE__ */ new TextEncoder()

const slotOfBytes = (bytes: Uint8Array): number => bytes.reduce(step, 0) & 0x3fff

const step = (crc: number, byte: number): number =>
  ((crc << 8) ^ table[((crc >> 8) ^ byte) & 0xff]!) & 0xffff

const table = /* @__PURE__ */ Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)
  return crc
})

// Found in one order whoever asks for what first, so every process finds the
// same; and only as far as asked, since all of them take some milliseconds.
const tags = new Map<number, string>()
let tried = 0

/**
 * A hash tag for a slot: the first number, in base 36, that hashes to it.
 *
 * @since 0.1.0
 */
export const tagOfSlot = (slot: number): string => {
  for (;;) {
    const known = tags.get(slot)
    if (known !== undefined) return known
    const tag = (tried++).toString(36)
    const hit = slotOf(tag)
    if (!tags.has(hit)) tags.set(hit, tag)
  }
}
