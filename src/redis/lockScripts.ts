/**
 * The transitions of `policy/lock.ts` as Lua, each one step on the server. To renew
 * a lock is to renew a lease: `renew` of `scripts.ts`.
 *
 *     KEYS[1] the lock's name   KEYS[2] who holds it   KEYS[3] its queue   KEYS[4] its fence
 *
 * Nothing is at KEYS[1]: it is what pushes name, and in whose slot the others are. The
 * queue is the tokens of those who wait, with a blank between them. ARGV[1] and replies
 * are as in `script.ts`.
 */
import { fenceLife, queueLife, turnLife } from "../policy/lock.js"
import { script } from "./script.js"

const prelude = `
local QUEUE, FENCE = KEYS[3], KEYS[4]

local function waitingBut(token)
  local tokens = {}
  for it in string.gmatch(text(QUEUE) or '', '%S+') do
    if it ~= token then tokens[#tokens + 1] = it end
  end
  return tokens
end

local function keepWaiting(tokens)
  if #tokens == 0 then redis.call('DEL', QUEUE)
  else redis.call('SET', QUEUE, table.concat(tokens, ' '), 'PX', ${queueLife}) end
end
`

/**
 * Grants the lock, if nobody else has it, nor the turn.
 *
 *     ARGV[2] token   ARGV[3] duration   ARGV[4] '1' to have a place in the queue, or '0'
 *     reply   { 'granted', fence } | { 'held', milliseconds that remain }
 */
export const acquire = /* @__PURE__ */ script(
  "acquire",
  `${prelude}
local token = ARGV[2]
local held = lease()
if held and held.token ~= token then
  if ARGV[4] == '1' then
    local queue = text(QUEUE) or ''
    if not string.find(' ' .. queue .. ' ', ' ' .. token .. ' ', 1, true) then
      queue = queue == '' and token or queue .. ' ' .. token
    end
    redis.call('SET', QUEUE, queue, 'PX', ${queueLife})
  end
  return { { 'held', redis.call('PTTL', LEASE) }, left }
end
local last = tonumber(text(FENCE) or '') or 0
local fence = string.format('%.0f', math.max(last + 1, math.floor(now() * 1000 + 0.5)))
redis.call('SET', FENCE, fence, 'PX', ${fenceLife})
keepWaiting(waitingBut(token))
lend(token, ARGV[3])
return { { 'granted', fence }, left }
`
)

/**
 * Gives up the lock, or the turn, to the first who waits; and a place in the queue.
 *
 *     ARGV[2] token
 *     reply   1 it was ours, 0 it was not
 *
 * One step: between a GET and a DEL the lock could run out and be granted to
 * someone else, and we would delete theirs.
 */
export const release = /* @__PURE__ */ script(
  "release",
  `${prelude}
local held = lease()
local waiting = waitingBut(ARGV[2])
local isOurs = held and held.token == ARGV[2]
if isOurs then
  local first = table.remove(waiting, 1)
  if first then
    lend(first, ${turnLife})
    push('e', first)
  else
    redis.call('DEL', LEASE)
  end
end
keepWaiting(waiting)
return { isOurs and 1 or 0, left }
`
)
