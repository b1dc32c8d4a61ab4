/** The steps of a lock, by scripts or without. */
import type * as Effect from "effect/Effect"
import * as Lock from "../policy/lock.js"
import type { BackendError } from "../port/CacheBackend.js"
import type { Call } from "./driver.js"
import { leaseCall, leaseOf } from "./leaseRecord.js"
import type { Link } from "./link.js"
import * as LockScripts from "./lockScripts.js"
import { isOne, stepBy } from "./scripted.js"
import * as Scripts from "./scripts.js"
import type { Done, StepAt } from "./steps.js"
import { pushText } from "./subscriptions.js"
import { type Subject, transact, untilCall, valueOf } from "./transaction.js"
import type { LockPlace } from "./wire.js"

type Step<Args extends ReadonlyArray<unknown>, A> = StepAt<LockPlace, Args, A>

export interface LockSteps {
  readonly acquire: Step<[request: Lock.LockRequest], Lock.LockReply>
  readonly renew: Step<[token: string, duration: number], boolean>
  readonly release: Step<[token: string], boolean>
}

const replyOf = (reply: unknown): Lock.LockReply => {
  const [tag, figure] = (reply as ReadonlyArray<unknown>).map(String)
  return tag === "granted"
    ? { _tag: "Granted", fence: BigInt(figure ?? "") }
    : { _tag: "Held", remaining: remainingOf(Number(figure)) }
}

/** A life in milliseconds as PTTL has it: negative, for what is not there or has none. */
const remainingOf = (life: number): number => (life < 0 ? Infinity : life)

export const scriptedLock = (pushesItself: boolean): LockSteps => {
  const step = stepBy(pushesItself)
  const keysOf = ({ fence, key, lease, queue }: LockPlace) => [key, lease, queue, fence]
  return {
    acquire: ({ sender }, place, { duration, isWaiting, token }) =>
      step(
        sender(),
        LockScripts.acquire,
        place.prefix,
        keysOf(place),
        [token, Math.ceil(duration), isWaiting ? "1" : "0"],
        replyOf
      ),
    renew: ({ sender }, place, token, duration) =>
      step(
        sender(),
        Scripts.renew,
        place.prefix,
        keysOf(place),
        [token, Math.ceil(duration)],
        isOne
      ),
    release: ({ sender }, place, token) =>
      step(sender(), LockScripts.release, place.prefix, keysOf(place), [token], isOne)
  }
}

export const transactionalLock = (commandTimeout: number): LockSteps => {
  const step = <A>(
    command: string,
    link: Link,
    place: LockPlace,
    transition: (cell: Lock.LockCell, now: number) => Lock.LockStep<A>
  ): Effect.Effect<Done<A>, BackendError> =>
    transact(commandTimeout, command, link, subjectAt(place), (before, now) => {
      const { cell, reply, turn } = transition(before, now)
      return { cell, reply, push: turn === undefined ? "" : pushText("ended", turn, place.key) }
    })
  return {
    acquire: (link, place, request) =>
      step("acquire", link, place, (cell, now) => Lock.acquire(cell, now, request)),
    renew: (link, place, token, duration) =>
      step("renew", link, place, (cell, now) => Lock.renew(cell, now, token, duration)),
    release: (link, place, token) =>
      step("release", link, place, (cell, now) => Lock.release(cell, now, token))
  }
}

/** Reads what there is of a lock, and watches it. */
const subjectAt = ({ fence, key, lease, queue }: LockPlace): Subject<Lock.LockCell> => ({
  key,
  watched: [lease, queue, fence],
  reads: [
    ["GET", lease],
    ["PTTL", lease],
    ["GET", queue],
    ["GET", fence]
  ],
  decode: ([held, life, waiting, last], now) => {
    const tokens = String(valueOf(waiting) ?? "")
      .split(" ")
      .filter((token) => token !== "")
    const fence = Number(valueOf(last))
    return {
      lease: leaseOf(valueOf(held), now + remainingOf(Number(valueOf(life)))),
      queue: tokens.length === 0 ? undefined : { tokens, until: Infinity },
      fence: fence > 0 ? { last: fence, until: Infinity } : undefined
    }
  },
  writes: (before, after, now) => {
    const writes: Array<Call> = []
    if (after.lease !== before.lease) writes.push(leaseCall(lease, after.lease, now))
    if (after.queue !== before.queue) {
      writes.push(
        after.queue === undefined
          ? ["DEL", queue]
          : ["SET", queue, after.queue.tokens.join(" "), ...untilCall(after.queue.until, now)]
      )
    }
    if (after.fence !== undefined && after.fence !== before.fence) {
      writes.push(["SET", fence, String(after.fence.last), ...untilCall(after.fence.until, now)])
    }
    return writes
  }
})
