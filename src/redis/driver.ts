/** The driver, loaded when a layer is built, and what its errors mean. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { Cluster, Redis } from "ioredis"
import type { Socket } from "node:net"
import { BackendError } from "../port/CacheBackend.js"
import { type Start, Unfibered } from "../port/unfibered.js"

/** What we use of ioredis, 5 or 6. */
export type Driver = Pick<typeof import("ioredis"), "Redis" | "Cluster">

/** A connection of the driver's own. */
export type Handle = Redis | Cluster

/** Anything that carries a command: a server, a node, a cluster. */
export type Sender = Pick<Redis, "call" | "callBuffer">

/** A missing driver is a defect, and says how to install it. */
export const load: Effect.Effect<Driver> = Effect.orDieWith(
  Effect.tryPromise(() => import("ioredis")),
  ({ error }) =>
    new Error("effect-larder/redis needs the package ioredis: npm install ioredis@5", {
      cause: error
    })
)

export type Argument = string | number | Buffer

/** What the driver makes of the strings in a reply. */
export type ReplyAs = "text" | "bytes"

/** What the driver says when its `commandTimeout` has passed. */
const timedOutText = "Command timed out"

/** Without the command that the driver's error hangs on to: its arguments are keys and values. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message.replace(/, with args beginning with:[^]*$/, "") : "unknown"

export const fault = (command: string, error: unknown): BackendError => {
  const message = messageOf(error)
  const isReply = error instanceof Error && error.name === "ReplyError"
  const reason = isReply ? "Refused" : message === timedOutText ? "Timeout" : "Unavailable"
  return new BackendError({ backend: "redis", command, reason, cause: new Error(message) })
}

/** Nobody has answered in time. */
export const timedOut = (command: string): BackendError => fault(command, new Error(timedOutText))

export const failsWith = (
  exit: Exit.Exit<unknown, BackendError>,
  is: (error: BackendError) => boolean
): boolean => Exit.isFailure(exit) && Option.exists(Cause.failureOption(exit.cause), is)

export const isNoScript = (error: BackendError): boolean => textOf(error).startsWith("NOSCRIPT")

/** A stranger's list or hash stands where an entry should. */
export const isWrongType = (error: BackendError): boolean => textOf(error).startsWith("WRONGTYPE")

/** A cluster's slot has another server by now. */
export const isMoved = (error: BackendError): boolean => textOf(error).startsWith("MOVED")

/** A command came after its deadline, and did nothing. */
export const late = (command: string): BackendError =>
  new BackendError({ backend: "redis", command, reason: "Late" })

/** EVAL and EVALSHA are renamed away, or forbidden: by an ACL, by a provider. */
export const isScriptingRefused = (error: BackendError): boolean =>
  error.reason === "Refused" &&
  /unknown command|NOPERM.*'eval(sha)?'|EVAL.*(not allowed|disabled|not supported)/i.test(
    textOf(error)
  )

export const isForbidden = (error: BackendError): boolean => isForbiddenText(textOf(error))

export const isForbiddenText = (text: string): boolean =>
  /^(NOPERM|NOAUTH|WRONGPASS)|invalid (username|password)|(ACL failure in|executing the) script/i.test(
    text
  )

export const noConnection = new Error("There is no connection")

const textOf = ({ cause }: BackendError): string => messageOf(cause)

/** Another one after each reconnect; a cluster as a whole has none. */
export const socketOf = (to: Sender | undefined): Socket | undefined =>
  (to as { readonly stream?: Socket } | undefined)?.stream

/**
 * A connection on which nothing at all was heard for the whole time of a command
 * is dead, though its socket may not know: a peer that vanished sends no end. It is
 * destroyed, and the driver connects again. (Its own `socketTimeout` outlives a
 * connection, and ends the next, healthy one.) A cluster sees to its nodes itself.
 */
const watchSilence = (to: Sender): ((error: unknown) => void) => {
  const stream = socketOf(to)
  const heard = stream?.bytesRead
  return (error) => {
    if (messageOf(error) === timedOutText && stream?.bytesRead === heard) stream?.destroy()
  }
}

/** What is written until the end of this tick leaves in one system call. */
export const holdTogether = (to: Sender | undefined): void => {
  const socket = socketOf(to)
  if (socket === undefined || socket.writableCorked > 0) return
  socket.cork()
  process.nextTick(() => socket.uncork())
}

/**
 * One command. It has no canceller: what has been sent is out of our hands. The
 * driver's `commandTimeout` settles it.
 */
export const send = (
  to: Sender | undefined,
  command: string,
  name: string,
  args: ReadonlyArray<Argument>,
  replyAs: ReplyAs = "text"
): Effect.Effect<unknown, BackendError> => new Unfibered(sending(to, command, name, args, replyAs))

/** The same, without an effect around it. */
export const sending =
  (
    to: Sender | undefined,
    command: string,
    name: string,
    args: ReadonlyArray<Argument>,
    replyAs: ReplyAs
  ): Start<unknown, BackendError> =>
  (settle) => {
    if (to === undefined) return settle(Exit.fail(fault(command, noConnection)))
    const endIfSilent = watchSilence(to)
    const sent = replyAs === "bytes" ? to.callBuffer(name, ...args) : to.call(name, ...args)
    sent.then(
      (reply) => settle(Exit.succeed(reply)),
      (error) => {
        endIfSilent(error)
        settle(Exit.fail(fault(command, error)))
      }
    )
  }

export type Call = readonly [name: string, ...args: ReadonlyArray<Argument>]

export type Answer = PromiseSettledResult<unknown>

export const isAnswered = (answer: Answer): answer is PromiseFulfilledResult<unknown> =>
  answer.status === "fulfilled"

/**
 * Commands one behind the other, with none of anybody else's between them: all
 * are written in one synchronous step.
 *
 * @param on nothing is sent unless the connection is still this one
 */
export const sendTogether = (
  to: Sender | undefined,
  command: string,
  calls: ReadonlyArray<Call>,
  replyAs: ReplyAs = "text",
  on?: Socket
): Effect.Effect<ReadonlyArray<Answer>, BackendError> =>
  Effect.async((resume) => sendingTogether(to, command, calls, replyAs, on)(resume))

/** The same, without an effect around it. */
export const sendingTogether =
  (
    to: Sender | undefined,
    command: string,
    calls: ReadonlyArray<Call>,
    replyAs: ReplyAs = "text",
    on?: Socket
  ): Start<ReadonlyArray<Answer>, BackendError> =>
  (settle) => {
    if (to === undefined || (on !== undefined && socketOf(to) !== on)) {
      return settle(Exit.fail(fault(command, noConnection)))
    }
    const endIfSilent = watchSilence(to)
    const sent = calls.map(([name, ...args]) =>
      replyAs === "bytes" ? to.callBuffer(name, ...args) : to.call(name, ...args)
    )
    Promise.allSettled(sent).then((answers) => {
      for (const answer of answers) if (!isAnswered(answer)) endIfSilent(answer.reason)
      settle(Exit.succeed(answers))
    })
  }
