/**
 * Keys as bytes.
 *
 *     id         the key's UTF-8 form, if that has at most 511 bytes;
 *                else exactly 512: its first 480, and the SHA-256 of all
 *     long_key   all of it, where the id is not
 *
 * So an id is never too long for an index, no two keys share one, and keys that begin alike
 * are neighbours. A database compares bytes: no collation takes `a` for `A`, or `a ` for `a`.
 */
import { createHash } from "node:crypto"
import { fromWellFormed, toWellFormed } from "../policy/wellFormed.js"

const longest = 511
const kept = 480

export interface Place {
  readonly id: Buffer
  readonly longKey: Buffer | null
}

export const placeOf = (key: string): Place => {
  const bytes = Buffer.from(toWellFormed(key))
  if (bytes.length <= longest) return { id: bytes, longKey: null }
  const digest = createHash("sha256").update(bytes).digest()
  return { id: Buffer.concat([bytes.subarray(0, kept), digest]), longKey: bytes }
}

/** Drivers differ in what they make of bytes. */
export const bufferOf = (bytes: Uint8Array | ArrayBuffer): Buffer =>
  bytes instanceof ArrayBuffer
    ? Buffer.from(bytes)
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** For looking an id up in a `Map`. */
export const idText = (id: Uint8Array | ArrayBuffer): string => bufferOf(id).toString("latin1")

export const keyOf = (
  id: Uint8Array | ArrayBuffer,
  longKey: Uint8Array | ArrayBuffer | null
): string => fromWellFormed(bufferOf(longKey ?? id).toString("utf8"))

/** From the first id on, and before the other. */
export interface Range {
  readonly from: Buffer
  readonly before: Buffer
}

/** No byte of UTF-8 is as high. */
const end = Buffer.of(0xff)

/** Where all keys are that begin with this, and perhaps some others. */
export const rangeOf = (start: string): Range => {
  // With what follows, the first half of a surrogate pair may be something else than alone.
  const whole = start.replace(/[\uD800-\uDBFF]$/, "")
  const from = Buffer.from(toWellFormed(whole)).subarray(0, kept)
  if (from.length === 0) return { from, before: end }
  const before = Buffer.from(from)
  before[before.length - 1]! += 1
  return { from, before }
}

/** The least id above this one. */
export const after = (id: Uint8Array | ArrayBuffer): Buffer =>
  Buffer.concat([bufferOf(id), Buffer.of(0)])
