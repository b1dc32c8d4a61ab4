/**
 * Where entries and their bookkeeping live in a shared backend.
 *
 *     P:k                 the value of key k in the cache with prefix P
 *     P!lease:{…}…        its lease; in the same Redis Cluster slot
 *     P!ended:{…}…        its last lease known to have ended without a value
 *
 * A prefix has no `!`, so that no value key of any cache equals a bookkeeping
 * key of any other. Processes of one deployment must agree on every letter of
 * this file: a difference gives one key two leases.
 *
 * @since 0.1.0
 */
import { hashTag, slotOf, tagOfSlot } from "./slot.js"

export { slotOf } from "./slot.js"

/**
 * Is this a prefix: 1 to 64 of `A-Z a-z 0-9 . _ -`?
 *
 * @since 0.1.0
 */
export const isPrefix = (text: string): boolean => /^[A-Za-z0-9._-]{1,64}$/.test(text)

/**
 * A region's name as part of a key: `%` and `:` are percent-encoded, so that
 * region `a:b` and region `a` with key `b:…` stay apart.
 *
 * @since 0.1.0
 */
export const encodeRegionName = (name: string): string =>
  name.replaceAll("%", "%25").replaceAll(":", "%3A")

/**
 * The key under which the value of `key` is stored.
 *
 * @since 0.1.0
 */
export const valueKey = (prefix: string, key: string): string => `${prefix}:${key}`

/**
 * The user's key of a value key; `undefined` for what is none of this prefix.
 *
 * @since 0.1.0
 */
export const userKey = (prefix: string, stored: string): string | undefined =>
  stored.startsWith(`${prefix}:`) ? stored.slice(prefix.length + 1) : undefined

/**
 * The key of a kind of bookkeeping for `key`, in the slot of its value key.
 *
 * The braces hold what the server hashes. That is the value key's own hash tag,
 * or else the whole value key, or else, when that has a `}` that would end the
 * tag early, a tag from a table of one per slot. In the second case nothing
 * follows the brace, in the others `:` and the key do: so no two keys share
 * one. `kind` has no `{`.
 *
 * @since 0.1.0
 */
export const bookkeepingKey = (prefix: string, kind: string, key: string): string => {
  const stored = valueKey(prefix, key)
  const own = hashTag(stored)
  if (own === undefined && !stored.includes("}")) return `${prefix}!${kind}:{${stored}}`
  return `${prefix}!${kind}:{${own ?? tagOfSlot(slotOf(stored))}}:${key}`
}

/**
 * The key of the lease of `key`: tests ask what Redis holds there.
 *
 * @internal
 */
export const leaseKey = (prefix: string, key: string): string =>
  bookkeepingKey(prefix, "lease", key)

/**
 * The key that holds the token of the last lease of `key` that ended without a
 * usable value.
 *
 * @internal
 */
export const endedKey = (prefix: string, key: string): string =>
  bookkeepingKey(prefix, "ended", key)

/**
 * The user's key that a bookkeeping key of this kind belongs to: the inverse of
 * `bookkeepingKey`, for a pass that finds leases by `SCAN`. `undefined` for what
 * is none.
 *
 * @since 0.1.0
 */
export const bookkeepingOwner = (
  prefix: string,
  kind: string,
  stored: string
): string | undefined => {
  const end = stored.indexOf("}")
  const rest = stored.slice(end + 1)
  const tag = stored.slice(`${prefix}!${kind}:{`.length, end)
  const key = rest === "" ? userKey(prefix, tag) : rest.slice(1)
  return key !== undefined && bookkeepingKey(prefix, kind, key) === stored ? key : undefined
}

/**
 * What a log line says for all keys like this one: `user:42` is `user:*`, and
 * `report-2024` is `report-#`. At most 80 characters, control and other
 * invisible ones escaped. There may still be any number of patterns: who
 * remembers them needs a bound.
 *
 * @since 0.1.0
 */
export const keyPattern = (key: string): string => {
  const colon = key.indexOf(":")
  const end = colon < 0 ? "" : ":*"
  const legible = key
    .slice(0, Math.min(colon < 0 ? key.length : colon, 160))
    .replace(/[0-9]+/g, "#")
    .replace(
      /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
      (it) => `\\u{${it.codePointAt(0)!.toString(16)}}`
    )
  return (
    Array.from(legible)
      .slice(0, 80 - end.length)
      .join("") + end
  )
}
