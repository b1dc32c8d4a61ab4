/**
 * The transitions of `policy/lease.ts` as Lua, each one step on the server.
 *
 * All have the same keys, which share a slot:
 *
 *     KEYS[1] the entry   KEYS[2] its lease   KEYS[3] its ended lease
 *
 * What has ended without a usable value is the token alone, kept for one duration.
 */
import { offsets, timeDigits } from "../policy/envelope.js"
import { script } from "./script.js"

const expiry = `string.sub(found, ${offsets.expiresAt + 1}, ${offsets.expiresAt + timeDigits})`

/**
 * Reads, and asks for the lease.
 *
 *     ARGV[2] token   ARGV[3] duration   ARGV[4] the header of an entry to reject, or ''
 *     reply   { 'value', entry } | { 'granted', ended } | { 'held', token, ended }
 *
 * One step: between a read and a separate request for the lease another holder
 * could store and give it back, and the creator would run again.
 */
export const read = /* @__PURE__ */ script(
  "lease",
  `
local found = text(ENTRY)
local ours = header(found)
if ours and ours ~= ARGV[4] and string.match(${expiry}, '^%d+$') and now() < tonumber(${expiry}) then
  return { { 'value', found }, left }
end
local held = lease()
local ended = text(ENDED) or ''
if held then
  redis.call('SET', LEASE, held.token .. ' ' .. held.duration .. ' 1', 'KEEPTTL')
  return { { 'held', held.token, ended }, left }
end
lend(ARGV[2], ARGV[3])
return { { 'granted', ended }, left }
`
)

/**
 * Asks for the lease to refresh an entry: only if nobody has it, and the entry
 * is still the one that was seen.
 *
 *     ARGV[2] token   ARGV[3] duration   ARGV[4] the header that was seen
 *     reply   { 'granted', ended } | { 'declined' }
 */
export const refresh = /* @__PURE__ */ script(
  "lease",
  `
if lease() or header(text(ENTRY)) ~= ARGV[4] then return { { 'declined' }, left } end
lend(ARGV[2], ARGV[3])
return { { 'granted', text(ENDED) or '' }, left }
`
)

/**
 * Takes the lease from whoever holds it.
 *
 *     ARGV[2] token   ARGV[3] duration
 *     reply   { 'granted', ended }
 */
export const replace = /* @__PURE__ */ script(
  "lease",
  `
local held = lease()
if held then
  revoke(held)
  if held.awaited then push('e', held.token) end
end
lend(ARGV[2], ARGV[3])
return { { 'granted', text(ENDED) or '' }, left }
`
)

/**
 * Prolongs the lease, if it is still ours. Never creates one.
 *
 *     ARGV[2] token   ARGV[3] duration
 *     reply   1 prolonged, 0 not ours
 */
export const renew = /* @__PURE__ */ script(
  "renew",
  `
local held = lease()
if not held or held.token ~= ARGV[2] then return { 0, left } end
redis.call('SET', LEASE, held.token .. ' ' .. ARGV[3] .. (held.awaited and ' 1' or ' 0'), 'PX', ARGV[3])
return { 1, left }
`
)

/**
 * Stores and gives the lease back, if it is still ours.
 *
 *     ARGV[2] token   ARGV[3] entry   ARGV[4] milliseconds to keep it, or '' for good
 *     reply   1 stored, 0 refused
 *
 * One step: between a check and a separate SET the lease could run out, or be
 * revoked by an invalidation, and what we bring would be old.
 */
export const commit = /* @__PURE__ */ script(
  "commit",
  `
local held = lease()
if not held or held.token ~= ARGV[2] then return { 0, left } end
put(ENTRY, ARGV[3], ARGV[4])
redis.call('DEL', LEASE)
if held.awaited then push('s', held.token) end
return { 1, left }
`
)

/**
 * Gives the lease back without a value, if it is still ours.
 *
 *     ARGV[2] token
 *     reply   1 released, 0 not ours
 *
 * One step: between a GET and a DEL the lease could run out and be granted to
 * someone else, and we would delete theirs.
 */
export const release = /* @__PURE__ */ script(
  "release",
  `
local held = lease()
if not held or held.token ~= ARGV[2] then return { 0, left } end
revoke(held)
if held.awaited then push('e', held.token) end
return { 1, left }
`
)

/**
 * Stores, and revokes the lease; nothing at all when it comes late.
 *
 *     ARGV[2] entry   ARGV[3] milliseconds to keep it, or ''   ARGV[4] deadline, server time
 *     reply   1 stored, 0 late
 *
 * A SET that was written to a socket may be executed long after its caller gave
 * up, and would bring back what has been invalidated since.
 */
export const set = /* @__PURE__ */ script(
  "set",
  `
if now() > tonumber(ARGV[4]) then return { 0, left } end
local held = lease()
if held then revoke(held) end
put(ENTRY, ARGV[2], ARGV[3])
push('w', held and held.token or '')
return { 1, left }
`
)

/**
 * Removes, and revokes the lease.
 *
 *     reply   1 an entry was there, 0 there was none
 */
export const invalidate = /* @__PURE__ */ script(
  "invalidate",
  `
local held = lease()
if held then revoke(held) end
local removed = redis.call('UNLINK', ENTRY)
push('w', held and held.token or '')
return { removed, left }
`
)

/** Revokes the lease alone, for a pass that clears. */
export const revoke = /* @__PURE__ */ script(
  "clear",
  `
local held = lease()
if held then
  revoke(held)
  if held.awaited then push('w', held.token) end
end
return { 1, left }
`
)
