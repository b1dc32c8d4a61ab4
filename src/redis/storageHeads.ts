/** What entries say of themselves, without what they hold. */
import * as Effect from "effect/Effect"
import { longestHead, readHead, type StoredHead } from "../policy/storageEnvelope.js"
import type { BackendError } from "../port/CacheBackend.js"
import { fault, holdTogether, isAnswered, isWrongType, sendTogether } from "./driver.js"
import type { Link } from "./link.js"

/** Their heads, in one round trip; what is none of ours has none. */
export const headsOf = (
  link: Link,
  command: string,
  wireKeys: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<readonly [wireKey: string, head: StoredHead]>, BackendError> =>
  Effect.suspend(() => {
    holdTogether(link.sender())
    return Effect.flatMap(
      sendTogether(
        link.sender(),
        command,
        wireKeys.map((wireKey) => ["GETRANGE", wireKey, 0, longestHead - 1])
      ),
      (answers) => {
        const heads: Array<readonly [string, StoredHead]> = []
        for (const [index, answer] of answers.entries()) {
          const error = isAnswered(answer) ? undefined : fault(command, answer.reason)
          if (error !== undefined && !isWrongType(error)) return Effect.fail(error)
          const head = isAnswered(answer) ? readHead(String(answer.value)) : undefined
          if (head !== undefined) heads.push([wireKeys[index]!, head])
        }
        return Effect.succeed(heads)
      }
    )
  })
