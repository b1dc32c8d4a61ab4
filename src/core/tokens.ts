/** Owner ids that no two processes share: not `Random`, which a test may seed alike in both. */

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"

/** Makes ids of 16 characters [0-9a-z]: 11 drawn once for this cache, 5 that count. */
export const tokens = (): (() => string) => {
  const drawn = Array.from(
    globalThis.crypto.getRandomValues(new Uint8Array(11)),
    (byte) => alphabet[byte % 36]
  ).join("")
  let last = 0
  return () => {
    last = (last + 1) % 36 ** 5
    return drawn + last.toString(36).padStart(5, "0")
  }
}
