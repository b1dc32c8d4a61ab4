/** The steps of a cache, each a script. */
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import type { Encoded } from "../policy/envelope.js"
import type { LeaseReply, LeaseRequest } from "../policy/lease.js"
import {
  type Argument,
  holdTogether,
  isNoScript,
  type ReplyAs,
  type Sender,
  send
} from "./driver.js"
import type { Script } from "./script.js"
import * as Scripts from "./scripts.js"
import { bytesOf, type Done, keepText, type Steps } from "./steps.js"
import { channelOf, type Place } from "./wire.js"

/**
 * NOSCRIPT, a server that has been restarted or flushed, is answered with EVAL: by
 * a fiber that is still there. ◆ One that has left has given its lease back already.
 */
const run = (
  to: Sender | undefined,
  { lua, name, sha }: Script,
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<Argument>,
  replyAs?: ReplyAs
): Effect.Effect<unknown, BackendError> => {
  const rest = [keys.length, ...keys, ...args]
  holdTogether(to)
  return Effect.catchIf(send(to, name, "EVALSHA", [sha, ...rest], replyAs), isNoScript, () =>
    send(to, name, "EVAL", [lua, ...rest], replyAs)
  )
}

const text = (part: unknown): string => String(part)

export const isOne = (reply: unknown): boolean => Number(reply) === 1

const leaseReply = (reply: ReadonlyArray<unknown>): LeaseReply => {
  const [tag, first, second] = reply
  const ended = (it: unknown) => (text(it) === "" ? {} : { ended: text(it) })
  switch (text(tag)) {
    case "value":
      return { _tag: "Value", stored: first as Encoded }
    case "granted":
      return { _tag: "Granted", ...ended(first) }
    case "held":
      return { _tag: "Held", token: text(first), ...ended(second) }
    default:
      return { _tag: "Declined" }
  }
}

/** Runs a script, whose first argument is the channel, and takes its answer apart. */
export const stepBy =
  (pushesItself: boolean) =>
  <A>(
    to: Sender | undefined,
    script: Script,
    prefix: string,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>,
    decode: (reply: unknown) => A,
    replyAs?: ReplyAs
  ): Effect.Effect<Done<A>, BackendError> => {
    const channel = pushesItself ? channelOf(prefix) : ""
    return Effect.map(run(to, script, keys, [channel, ...args], replyAs), (answer) => {
      const [reply, push] = answer as readonly [unknown, unknown]
      return { reply: decode(reply), push: text(push) }
    })
  }

/** @param pushesItself on a cluster a push from within a script may not be heard */
export const scripted = (pushesItself: boolean): Steps => {
  const run = stepBy(pushesItself)
  const step = <A>(
    to: Sender | undefined,
    script: Script,
    { ended, entry, lease, prefix }: Place,
    args: ReadonlyArray<Argument>,
    decode: (reply: unknown) => A,
    replyAs?: ReplyAs
  ) => run(to, script, prefix, [entry, lease, ended], args, decode, replyAs)
  const asLease = (reply: unknown) => leaseReply(reply as ReadonlyArray<unknown>)
  const nothing = () => undefined
  return {
    lease: ({ sender }, place, request) => {
      const [script, ...args] = asked(request)
      return step(sender(), script, place, args, asLease, "bytes")
    },
    renew: ({ sender }, place, token, duration) =>
      step(sender(), Scripts.renew, place, [token, Math.ceil(duration)], isOne),
    commit: ({ sender }, place, token, stored, keepFor) =>
      step(sender(), Scripts.commit, place, [token, bytesOf(stored), keepText(keepFor)], isOne),
    release: ({ sender }, place, token) => step(sender(), Scripts.release, place, [token], isOne),
    set: ({ sender }, place, stored, keepFor, deadline) =>
      step(
        sender(),
        Scripts.set,
        place,
        [bytesOf(stored), keepText(keepFor), String(deadline)],
        isOne
      ),
    invalidate: ({ sender }, place) => step(sender(), Scripts.invalidate, place, [], isOne),
    revoke: ({ sender }, place) => step(sender(), Scripts.revoke, place, [], nothing)
  }
}

const asked = (request: LeaseRequest): readonly [Script, ...ReadonlyArray<Argument>] => {
  const duration = Math.ceil(request.duration)
  switch (request.intent) {
    case "read":
      return [Scripts.read, request.token, duration, request.reject ?? ""]
    case "refresh":
      return [Scripts.refresh, request.token, duration, request.seen]
    case "replace":
      return [Scripts.replace, request.token, duration]
  }
}
