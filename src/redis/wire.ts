/**
 * Keys as they are sent: what stands at `P:k` on the server, and its bookkeeping.
 *
 * A driver sends text as UTF-8: they are sent in a form that has one.
 */
import { bookkeepingKey, bookkeepingOwner, userKey, valueKey } from "../policy/keys.js"
import { fromWellFormed, toWellFormed } from "../policy/wellFormed.js"

export { toWellFormed as toWire, fromWellFormed as fromWire }

/** All that belongs to one key, as it is sent. */
export interface Place {
  readonly prefix: string
  readonly entry: string
  readonly lease: string
  readonly ended: string
}

const prefixOf = (key: string): string => key.slice(0, key.indexOf(":"))

/** @param key a whole key, `P:k` */
export const placeOf = (key: string): Place => {
  const entry = toWellFormed(key)
  const prefix = prefixOf(entry)
  const own = entry.slice(prefix.length + 1)
  return {
    prefix,
    entry,
    lease: bookkeepingKey(prefix, "lease", own),
    ended: bookkeepingKey(prefix, "ended", own)
  }
}

/** All that belongs to one lock. Nothing is at its key. */
export interface LockPlace {
  readonly prefix: string
  readonly key: string
  readonly lease: string
  readonly queue: string
  readonly fence: string
}

export const lockPlaceOf = (prefix: string, name: string): LockPlace => {
  const own = toWellFormed(name)
  return {
    prefix,
    key: valueKey(prefix, own),
    lease: bookkeepingKey(prefix, "lock", own),
    queue: bookkeepingKey(prefix, "queue", own),
    fence: bookkeepingKey(prefix, "fence", own)
  }
}

/** The whole key that a lease belongs to; undefined for what is no lease of this prefix. */
export const ownerOfLease = (prefix: string, lease: string): string | undefined => {
  const own = bookkeepingOwner(prefix, "lease", lease)
  return own === undefined ? undefined : fromWellFormed(`${prefix}:${own}`)
}

/** A key that lives as long as a `set` may take, in the slot of its entry. */
export const guardOf = ({ entry, prefix }: Place, token: string): string =>
  bookkeepingKey(prefix, `guard-${token}`, userKey(prefix, entry) ?? "")

/** Where the pushes of a prefix go: no key, so it needs no slot. */
export const channelOf = (prefix: string): string => `${prefix}!push`
