/** Removing an entry only as long as it is the one that was seen, by script or without. */
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import { script } from "./script.js"
import { isOne, stepBy } from "./scripted.js"
import { settleStep } from "./steps.js"
import { type Subject, transact, valueOf } from "./transaction.js"
import type { Link } from "./link.js"

/**
 * Removes an entry that has the head that was seen, and no expiry of the server's own.
 *
 *     KEYS[1] the entry   ARGV[2] the head that was seen
 *     reply   1 removed, 0 it is another one by now, or will expire
 *
 * One step: between a look and a DEL the entry could be replaced, and we would remove what
 * somebody has just written.
 */
const removeSeen = /* @__PURE__ */ script(
  "cleanup",
  `
local head = redis.pcall('GETRANGE', ENTRY, 0, #ARGV[2] - 1)
if head ~= ARGV[2] or redis.call('PTTL', ENTRY) ~= -1 then return { 0, left } end
return { redis.call('UNLINK', ENTRY), left }
`
)

const byScript = /* @__PURE__ */ stepBy(false)

interface Found {
  /** Is it the one that was seen, and stays if nobody removes it? */
  readonly isSeen: boolean
  readonly isRemoved: boolean
}

const subjectAt = (wireKey: string, head: string): Subject<Found> => ({
  key: wireKey,
  watched: [wireKey],
  reads: [
    ["GETRANGE", wireKey, 0, head.length - 1],
    ["PTTL", wireKey]
  ],
  decode: ([start, life]) => ({
    isSeen: String(valueOf(start)) === head && Number(valueOf(life)) === -1,
    isRemoved: false
  }),
  writes: (_, { isRemoved }) => (isRemoved ? [["UNLINK", wireKey]] : [])
})

/** True: it was removed. */
export const removeIfSeen = (
  commandTimeout: number,
  link: Link,
  wireKey: string,
  head: string
): Effect.Effect<boolean, BackendError> =>
  settleStep(
    link,
    "",
    Effect.suspend(() => byScript(link.sender(), removeSeen, "", [wireKey], [head], isOne)),
    Effect.suspend(() =>
      transact(commandTimeout, "cleanup", link, subjectAt(wireKey, head), ({ isSeen }) => ({
        cell: { isSeen, isRemoved: isSeen },
        reply: isSeen,
        push: ""
      }))
    )
  )
