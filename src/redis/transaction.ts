/**
 * One step where a server refuses scripts: WATCH, read, decide here by the very
 * transitions of `policy/`, and MULTI.
 *
 * What was watched and has changed makes EXEC do nothing; then it is read again.
 * Two round trips a step, and one step at a time on a connection: WATCH belongs
 * to the connection, not to who sent it.
 */
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import type { BackendError } from "../port/CacheBackend.js"
import {
  type Answer,
  type Call,
  fault,
  isAnswered,
  noConnection,
  type Sender,
  sendTogether,
  socketOf,
  timedOut
} from "./driver.js"
import type { Link } from "./link.js"
import { type Done, keepText } from "./steps.js"

/**
 * Settles in time, also for a caller that must not be interrupted. What has not begun by
 * then, or when its caller leaves, for others had their turn, never does. What has begun
 * goes on to its end behind: a WATCH would be left to whoever comes next.
 */
export const inTime = <A>(
  command: string,
  millis: number,
  effect: Effect.Effect<A, BackendError>
): Effect.Effect<A, BackendError> =>
  Effect.flatMap(Effect.runtime<never>(), (runtime) =>
    Effect.async<A, BackendError>((resume) => {
      const fiber = Runtime.runFork(runtime)(Effect.interruptible(effect))
      const timer = setTimeout(() => {
        resume(timedOut(command))
        fiber.unsafeInterruptAsFork(FiberId.none)
      }, millis)
      fiber.addObserver((exit) => {
        clearTimeout(timer)
        resume(exit)
      })
      return Effect.sync(() => fiber.unsafeInterruptAsFork(FiberId.none))
    })
  )

/** How often to read again before the server counts as too busy. */
const maxAttempts = 50

/** What a step is about: keys of one slot, and what is made of what stands there. */
export interface Subject<Cell> {
  readonly key: string
  readonly watched: ReadonlyArray<string>
  readonly reads: ReadonlyArray<Call>
  /** What could not be read is a stranger's, but for the last. */
  readonly decode: (answers: ReadonlyArray<Answer>, now: number) => Cell
  readonly writes: (before: Cell, after: Cell, now: number) => ReadonlyArray<Call>
}

/** What is to stand there then, and the text of the push that it calls for; empty: none. */
export interface Outcome<Cell, A> extends Done<A> {
  readonly cell: Cell
}

export type Transition<Cell, A> = (cell: Cell, now: number) => Outcome<Cell, A>

/** Does a step, in time. */
export const transact = <Cell, A>(
  commandTimeout: number,
  command: string,
  { nodeOf, turn }: Link,
  subject: Subject<Cell>,
  transition: Transition<Cell, A>
): Effect.Effect<Done<A>, BackendError> => {
  const attempt = (attempts: number): Effect.Effect<Done<A>, BackendError> =>
    Effect.gen(function* () {
      const server = nodeOf(subject.key)
      // ◆ WATCH, reads │ lost, connected again │ MULTI: nothing would guard the writes.
      const socket = socketOf(server)
      if (socket === undefined) return yield* fault(command, noConnection)
      const [before, now] = yield* find(server, command, subject)
      const { cell, push, reply } = transition(before, now)
      const writes = subject.writes(before, cell, now)
      const calls: ReadonlyArray<Call> = [["MULTI"], ...writes, ["EXEC"]]
      const answers = yield* sendTogether(server, command, calls, "text", socket)
      const result = answers.find((answer) => !isAnswered(answer)) ?? answers.at(-1)
      if (result === undefined || !isAnswered(result)) {
        return yield* fault(command, result?.reason)
      }
      if (result.value !== null) return { reply, push }
      return attempts < maxAttempts ? yield* attempt(attempts + 1) : yield* timedOut(command)
    })
  return inTime(command, commandTimeout, turn.withPermits(1)(Effect.uninterruptible(attempt(1))))
}

/** Watches the keys, and reads them. */
const find = <Cell>(
  server: Sender | undefined,
  command: string,
  { decode, reads, watched }: Subject<Cell>
): Effect.Effect<readonly [cell: Cell, now: number], BackendError> =>
  Effect.flatMap(
    sendTogether(server, command, [["WATCH", ...watched], ["TIME"], ...reads], "bytes"),
    (answers) => {
      const [isWatched, time, ...found] = answers
      const failed = [isWatched, time, found.at(-1)].find((it) => it && !isAnswered(it))
      if (failed !== undefined && !isAnswered(failed)) {
        return Effect.fail(fault(command, failed.reason))
      }
      const [seconds, micros] = valueOf(time) as ReadonlyArray<unknown>
      const now = Number(seconds) * 1_000 + Number(micros) / 1_000
      return Effect.succeed([decode(found, now), now] as const)
    }
  )

export const valueOf = (answer: Answer | undefined): unknown =>
  answer !== undefined && isAnswered(answer) ? answer.value : null

/** The end of a SET that gives what it sets a life. */
export const untilCall = (until: number, now: number): ReadonlyArray<string> => {
  const life = keepText(Math.max(1, until - now))
  return life === "" ? [] : ["PX", life]
}
