/** Several writes of lasting entries, all or none. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { BackendError } from "../port/CacheBackend.js"
import {
  type Answer,
  type Call,
  fault,
  holdTogether,
  isAnswered,
  isMoved,
  send,
  sendingTogether
} from "./driver.js"
import type { Link } from "./link.js"
import { script } from "./script.js"
import { stepBy } from "./scripted.js"
import { settleStep } from "./steps.js"
import { inTime } from "./transaction.js"

/** An entry as it is sent; `life`: the milliseconds of its expiry, empty for none. */
export interface Text {
  readonly wireKey: string
  readonly text: string
  readonly life: string
}

export const setCall = ({ life, text, wireKey }: Text): readonly [string, ...Array<string>] =>
  life === "" ? ["SET", wireKey, text] : ["SET", wireKey, text, "PX", life]

/**
 * Sets all of them.
 *
 *     KEYS[i]      an entry
 *     ARGV[i + 1]  its text
 *     ARGV[n + 2]  milliseconds to keep them all, or '' for good; n: how many they are.
 *                  Where they differ, of the first one, and those of the others after it
 *
 * One command, for the sake of the client: to write and to read as many is most of the work.
 */
const setAll = /* @__PURE__ */ script(
  "set",
  `
local count = #KEYS
local life = ARGV[count + 2]
for i = 1, count do
  life = ARGV[count + 1 + i] or life
  put(KEYS[i], ARGV[i + 1], life)
end
return { count, left }
`
)

const byScript = /* @__PURE__ */ stepBy(false)

/** All or none; their keys are of one slot, where there are slots. */
export const setTogether = (
  commandTimeout: number,
  link: Link,
  texts: ReadonlyArray<Text>
): Effect.Effect<void, BackendError> =>
  settleStep(
    link,
    "",
    Effect.suspend(() => {
      const lives = texts.map(({ life }) => life)
      const areAlike = lives.every((life) => life === lives[0])
      const args = texts.map(({ text }) => text).concat(areAlike ? lives.slice(0, 1) : lives)
      const wireKeys = texts.map(({ wireKey }) => wireKey)
      return byScript(link.sender(), setAll, "", wireKeys, args, () => undefined)
    }),
    Effect.suspend(() =>
      Effect.as(transaction(commandTimeout, link, texts[0]?.wireKey ?? "", texts.map(setCall)), {
        reply: undefined,
        push: ""
      })
    )
  )

/** How often a slot is looked for anew. */
const maxMoves = 3

/**
 * The same where a server refuses scripts.
 *
 * ◆ WATCH, reads │ this EXEC │ MULTI of who watches: its guard would be gone. So it is
 * written when nobody watches on this connection; what it is answered, others need not await.
 */
const transaction = (
  commandTimeout: number,
  link: Link,
  wireKey: string,
  writes: ReadonlyArray<Call>,
  moves = 0
): Effect.Effect<void, BackendError> => {
  const begin = Effect.sync(() => begun(link, wireKey, [["MULTI"], ...writes, ["EXEC"]]))
  const mine = Effect.flatMap(link.turn.withPermitsIfAvailable(1)(begin), (answer) =>
    Option.isSome(answer)
      ? answer.value
      : Effect.flatten(inTime("set", commandTimeout, link.turn.withPermits(1)(begin)))
  )
  // A node does not send us on; the driver lets itself be sent on, and remembers the way.
  return Effect.catchIf(
    Effect.flatMap(mine, executed),
    (error) => isMoved(error) && moves < maxMoves,
    () =>
      Effect.zipRight(
        send(link.sender(), "set", "EXISTS", [wireKey]),
        transaction(commandTimeout, link, wireKey, writes, moves + 1)
      )
  )
}

type Answers = ReadonlyArray<Answer>

/** Writes at once, and gives what awaits the answers. */
const begun = (
  link: Link,
  wireKey: string,
  calls: ReadonlyArray<Call>
): Effect.Effect<Answers, BackendError> => {
  const node = link.nodeOf(wireKey)
  holdTogether(node)
  const answered = new Promise<Exit.Exit<Answers, BackendError>>((resolve) =>
    sendingTogether(node, "set", calls)(resolve)
  )
  return Effect.flatten(Effect.promise(() => answered))
}

/** The first that was refused says why; EXEC, that there was one. */
const executed = (answers: Answers): Effect.Effect<void, BackendError> => {
  const failed = answers.find((answer) => !isAnswered(answer))
  if (failed !== undefined && !isAnswered(failed)) return Effect.fail(fault("set", failed.reason))
  const last = answers.at(-1)
  const results = last !== undefined && isAnswered(last) ? last.value : undefined
  const error = Array.isArray(results) ? results.find((it) => it instanceof Error) : undefined
  return error === undefined ? Effect.void : Effect.fail(fault("set", error))
}
