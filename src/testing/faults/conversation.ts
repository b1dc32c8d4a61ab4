/**
 * What passes between a client and its server: which command is sent when, and whose
 * answer is due.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import { type Frame, makePlaceKeeper, makeReplyReader, type Words, wordsOf } from "./resp.js"
import type { Shelf } from "./shelf.js"

/**
 * Which commands or pushes are meant: a command is its name in lower case, then
 * its arguments, read as UTF-8 (bytes that are not are passed on as they are, but
 * look like U+FFFD here).
 *
 * @since 0.1.0
 * @category models
 */
export type Matches = (words: Words) => boolean

/**
 * A command on its way. Every step may be taken again, to no further effect.
 *
 * @since 0.1.0
 * @category models
 */
export interface HeldCommand {
  readonly command: Words
  /**
   * Sends it to the server and waits for the server's answer, which is kept. In a
   * transaction it waits its turn. Dies if the server hangs up before it answers.
   */
  readonly execute: Effect.Effect<void>
  /**
   * Hands the kept answer to the client, in its turn: behind the answers to all
   * before it on its connection. Dies if there is no answer yet.
   */
  readonly reply: Effect.Effect<void>
  /** `execute`, then `reply`. */
  readonly pass: Effect.Effect<void>
  /**
   * The answer does not reach the client, nor does any reply or push that comes
   * after it on that connection, until it comes `late` or the connection is reset:
   * a client that went on reading would take the next reply for this one. Whether it
   * is executed is up to `execute`, before or after.
   */
  readonly lose: Effect.Effect<void>
  /** What was lost comes after all: `pass`, and what waited behind it follows. */
  readonly late: Effect.Effect<void>
  /** Resets the client's connection without an answer; `execute` still executes. */
  readonly reset: Effect.Effect<void>
}

/** A push on its way, and how it is delivered. */
export interface WaitingPush {
  readonly push: Words
  readonly deliver: () => void
}

/** The test's hand on all conversations. */
export interface Hand {
  readonly heldCommands: Shelf<HeldCommand>
  readonly heldPushes: Shelf<WaitingPush>
  isHeld: Matches
  pushes: "deliver" | "hold" | "lose"
}

/** One command of a client, until the last byte of its answer has left. */
export interface Exchange {
  readonly command: Words
  readonly bytes: Buffer
  readonly keepsPlace: boolean
  /** The server's answer is there; or a defect, if it will not come. */
  readonly answered: Deferred.Deferred<void>
  readonly answer: Array<Buffer>
  /** Pushes that must not leave before the answer. */
  readonly pushes: Array<Buffer>
  mayExecute: boolean
  mayReply: boolean
  isAnswered: boolean
  isLost: boolean
}

const isDue = ({ isAnswered, mayReply, isLost }: Exchange) => isAnswered && mayReply && !isLost

interface Ends {
  readonly toServer: (bytes: Buffer) => void
  readonly endServer: () => void
  readonly toClient: (bytes: Buffer) => void
  readonly resetClient: () => void
}

/** Decides what goes when: to the server as soon as it may, to the client in the order of asking. */
export const makeConversation = (hand: Hand, ends: Ends) => {
  const keepsPlace = makePlaceKeeper()
  const belongs = makeReplyReader()
  // What waits to be sent, and for the client's turn, in order of asking; what the server has
  // yet to answer, in order of sending.
  let unsent: Array<Exchange> = []
  const unreplied: Array<Exchange> = []
  const executing: Array<Exchange> = []
  let isClientGone = false

  const send = (): void => {
    let isBehindAny = false
    let isBehindFixed = false
    unsent = unsent.filter((exchange) => {
      const mustWait = isBehindFixed || (isBehindAny && exchange.keepsPlace)
      if (exchange.mayExecute && !mustWait) {
        executing.push(exchange)
        ends.toServer(exchange.bytes)
        return false
      }
      isBehindAny = true
      isBehindFixed ||= exchange.keepsPlace
      return true
    })
    if (isClientGone && unsent.length === 0) ends.endServer()
  }

  const reply = (): void => {
    for (let first = unreplied[0]; first !== undefined && isDue(first); first = unreplied[0]) {
      unreplied.shift()
      for (const bytes of [...first.answer, ...first.pushes]) ends.toClient(bytes)
    }
  }

  // A message must not come before the answer to the subscription that it is due to.
  const push = (bytes: Buffer): void => {
    const before = unreplied.findLast(
      ({ command, answer, isLost }) =>
        isLost || (answer.length > 0 && command[0]?.endsWith("subscribe"))
    )
    if (before === undefined) ends.toClient(bytes)
    else before.pushes.push(bytes)
  }

  const hearPush = (frame: Frame): void => {
    const deliver = () => push(frame.bytes)
    if (hand.pushes === "deliver") deliver()
    if (hand.pushes === "hold") hand.heldPushes.put({ push: wordsOf(frame), deliver })
  }

  const giveUp = (exchanges: ReadonlyArray<Exchange>): void => {
    for (const { command, answered } of exchanges) {
      const error = new Error(`no answer will come to ${command.join(" ")}`)
      Deferred.unsafeDone(answered, Effect.die(error))
    }
  }

  return {
    ask: (command: Words, bytes: Buffer): void => {
      const isHeld = hand.isHeld(command)
      const exchange: Exchange = {
        command,
        bytes,
        keepsPlace: keepsPlace(command),
        answered: Deferred.unsafeMake(FiberId.none),
        answer: [],
        pushes: [],
        mayExecute: !isHeld,
        mayReply: !isHeld,
        isAnswered: false,
        isLost: false
      }
      unsent.push(exchange)
      unreplied.push(exchange)
      if (isHeld) {
        hand.heldCommands.put(makeHeldCommand(exchange, { send, reply, reset: ends.resetClient }))
      }
      send()
    },
    hear: (frame: Frame): void => {
      const first = executing[0]
      const belonging = belongs(frame, first?.command)
      if (belonging === "push") return hearPush(frame)
      if (first === undefined) return ends.toClient(frame.bytes)
      first.answer.push(frame.bytes)
      if (belonging === "part") return
      executing.shift()
      first.isAnswered = true
      Deferred.unsafeDone(first.answered, Effect.void)
      reply()
    },
    release: (): ReadonlyArray<Exchange> => {
      const held = unreplied.filter(({ mayReply, isLost }) => !mayReply && !isLost)
      if (isClientGone) {
        giveUp(unsent.filter(({ isLost }) => !isLost))
        unsent = unsent.filter(({ isLost }) => isLost)
      } else {
        for (const exchange of held) exchange.mayExecute = exchange.mayReply = true
      }
      send()
      reply()
      return held.filter((exchange) => executing.includes(exchange))
    },
    leave: (): void => {
      isClientGone = true
      send()
    },
    end: (): void => {
      giveUp([...executing.splice(0), ...unsent.splice(0)])
    }
  }
}

const makeHeldCommand = (
  exchange: Exchange,
  on: { readonly send: () => void; readonly reply: () => void; readonly reset: () => void }
): HeldCommand => {
  const { command } = exchange
  const execute = Effect.suspend(() => {
    exchange.mayExecute = true
    on.send()
    return Deferred.await(exchange.answered)
  })
  const reply = Effect.suspend(() => {
    if (!exchange.isAnswered) return Effect.dieMessage(`not executed yet: ${command.join(" ")}`)
    exchange.mayReply = true
    return Effect.sync(on.reply)
  })
  const pass = Effect.zipRight(execute, reply)
  const setLost = (isLost: boolean) => Effect.sync(() => void (exchange.isLost = isLost))
  return {
    command,
    execute,
    reply,
    pass,
    lose: setLost(true),
    late: Effect.zipRight(setLost(false), pass),
    reset: Effect.sync(on.reset)
  }
}
