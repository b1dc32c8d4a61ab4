/**
 * What all scripts have in common.
 *
 * KEYS[1] names what a script is about, KEYS[2] is its lease. ARGV[1] is the channel to
 * push to, or '' where pushing is left to the caller. Each returns an array: its reply,
 * and the push left to the caller, or ''.
 *
 * A lease is the text `token duration awaited`, where duration is milliseconds and
 * awaited 0 or 1; it runs out by itself.
 *
 * What the scripts read is whatever stands at a key: a stranger's type counts as
 * nothing there, a text that is no entry is never fresh.
 */
import { createHash } from "node:crypto"
import { format, headerLength } from "../policy/envelope.js"

export interface Script {
  readonly name: string
  readonly lua: string
  readonly sha: string
}

const prelude = `
local ENTRY, LEASE, ENDED = KEYS[1], KEYS[2], KEYS[3]
local left = ''

-- pcall: GET on a stranger's list or hash is an error, and no fault of ours.
local function text(key)
  local found = redis.pcall('GET', key)
  return type(found) == 'string' and found or nil
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + time[2] / 1000
end

local function put(key, value, keepFor)
  if keepFor == '' then redis.call('SET', key, value)
  else redis.call('SET', key, value, 'PX', keepFor) end
end

-- pcall: an ACL may allow everything but the channel; then waiters poll.
local function push(reason, token)
  local message = reason .. token .. ' ' .. ENTRY
  if ARGV[1] == '' then left = message else redis.pcall('PUBLISH', ARGV[1], message) end
end

local function lease()
  local token, duration, awaited = string.match(text(LEASE) or '', '^(%S+) (%d+) ([01])$')
  return token and { token = token, duration = duration, awaited = awaited == '1' } or nil
end

local function lend(token, duration)
  redis.call('SET', LEASE, token .. ' ' .. duration .. ' 0', 'PX', duration)
end

-- Its holder's commit will be refused; whoever polls finds out that it has ended.
local function revoke(held)
  redis.call('DEL', LEASE)
  redis.call('SET', ENDED, held.token, 'PX', held.duration)
end

-- A byte beyond ASCII comes back as two: nobody could name such an entry, to have
-- it replaced.
local function header(entry)
  local first = entry and #entry >= ${headerLength} and string.sub(entry, 1, ${headerLength}) or ''
  return string.sub(first, 1, ${format.length}) == '${format}'
    and not string.find(first, '[\\128-\\255]') and first or nil
end
`

/** A script that has all of the above. */
export const script = (name: string, body: string): Script => {
  const lua = prelude + body
  return { name, lua, sha: createHash("sha1").update(lua).digest("hex") }
}
