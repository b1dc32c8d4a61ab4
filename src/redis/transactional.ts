/**
 * The steps of the port where a server refuses scripts: WATCH, read, decide here
 * by the very transitions of `policy/lease.ts`, and MULTI.
 *
 * What was watched and has changed makes EXEC do nothing; then it is read again.
 * Two round trips a step, and one step at a time on a connection: WATCH belongs
 * to the connection, not to who sent it.
 */
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import * as Lease from "../policy/lease.js"
import type { Encoded } from "../policy/envelope.js"
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
import { bytesOf, type Done, keepText, type Steps } from "./steps.js"
import { pushText } from "./subscriptions.js"
import { guardOf, type Place } from "./wire.js"

/**
 * Settles in time, also for a caller that must not be interrupted; what has not
 * begun by then, for others had their turn, never does. What has begun goes on to
 * its end behind: a WATCH would be left to whoever comes next.
 */
const inTime = <A>(
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
    })
  )

/** How often to read again before the server counts as too busy. */
const maxAttempts = 50

interface Found {
  readonly cell: Lease.Cell
  readonly now: number
  /** Does the guard stand? */
  readonly isInTime: boolean
}

export const transactional = (commandTimeout: number): Steps => {
  const step = <A>(
    command: string,
    { nodeOf, turn }: Link,
    place: Place,
    transition: (found: Found) => Lease.Step<A>,
    guard: string = place.ended
  ): Effect.Effect<Done<A>, BackendError> => {
    const attempt = (attempts: number): Effect.Effect<Done<A>, BackendError> =>
      Effect.gen(function* () {
        const server = nodeOf(place.entry)
        // ◆ WATCH, reads │ lost, connected again │ MULTI: nothing would guard the writes.
        const socket = socketOf(server)
        if (socket === undefined) return yield* fault(command, noConnection)
        const found = yield* find(server, command, place, guard)
        const { cell, push, reply } = transition(found)
        const writes = writesOf(place, found, cell)
        const calls: ReadonlyArray<Call> = [["MULTI"], ...writes, ["EXEC"]]
        const answers = yield* sendTogether(server, command, calls, "text", socket)
        const result = answers.find((answer) => !isAnswered(answer)) ?? answers.at(-1)
        if (result === undefined || !isAnswered(result)) {
          return yield* fault(command, result?.reason)
        }
        if (result.value !== null) {
          return { reply, push: push ? pushText(push.reason, push.token, place.entry) : "" }
        }
        return attempts < maxAttempts ? yield* attempt(attempts + 1) : yield* timedOut(command)
      })
    return inTime(command, commandTimeout, turn.withPermits(1)(Effect.uninterruptible(attempt(1))))
  }

  const plain =
    <A>(transition: (cell: Lease.Cell, now: number) => Lease.Step<A>) =>
    (found: Found) =>
      transition(found.cell, found.now)

  return {
    lease: (link, place, request) =>
      step(
        "lease",
        link,
        place,
        plain((cell, now) => Lease.lease(cell, now, request))
      ),
    renew: (link, place, token, duration) =>
      step(
        "renew",
        link,
        place,
        plain((cell, now) => Lease.renew(cell, now, token, duration))
      ),
    commit: (link, place, token, stored, keepFor) =>
      step(
        "commit",
        link,
        place,
        plain((cell, now) => Lease.commit(cell, now, token, stored, keepFor))
      ),
    release: (link, place, token) =>
      step(
        "release",
        link,
        place,
        plain((cell, now) => Lease.release(cell, now, token))
      ),
    invalidate: (link, place) => step("invalidate", link, place, plain(Lease.invalidate)),
    revoke: (link, place) =>
      step(
        "clear",
        link,
        place,
        plain((cell, now) => Lease.revoke(cell, now, "written"))
      ),
    // EXEC cannot ask for the time. But a key that lives as long as the command
    // may take, and is watched, makes it do nothing once it has run out.
    set: (link, place, stored, keepFor) => {
      const setting = Effect.suspend(() => {
        const guard = guardOf(place, globalThis.crypto.randomUUID())
        const guarding: Call = ["SET", guard, "1", "PX", commandTimeout]
        return Effect.flatMap(sendTogether(link.nodeOf(place.entry), "set", [guarding]), ([set]) =>
          set !== undefined && isAnswered(set)
            ? step(
                "set",
                link,
                place,
                ({ cell, isInTime, now }): Lease.Step<boolean> =>
                  isInTime
                    ? { ...Lease.set(cell, now, stored, keepFor), reply: true }
                    : { cell, reply: false },
                guard
              )
            : Effect.fail(fault("set", set?.reason))
        )
      })
      return inTime("set", commandTimeout, setting)
    }
  }
}

/** Watches the keys of a place, and reads them. */
const find = (
  server: Sender | undefined,
  command: string,
  { ended, entry, lease }: Place,
  guard: string
): Effect.Effect<Found, BackendError> =>
  Effect.flatMap(
    sendTogether(
      server,
      command,
      [
        ["WATCH", entry, lease, ended, guard],
        ["TIME"],
        ["GET", entry],
        ["GET", lease],
        ["GET", ended],
        ["EXISTS", guard]
      ],
      "bytes"
    ),
    ([watched, time, found, held, last, isThere]) => {
      const failed = [watched, time, isThere].find((answer) => !answer || !isAnswered(answer))
      if (failed !== undefined || watched === undefined) {
        return Effect.fail(fault(command, failed && !isAnswered(failed) && failed.reason))
      }
      const [seconds, micros] = valueOf(time) as ReadonlyArray<unknown>
      return Effect.succeed({
        now: Number(seconds) * 1_000 + Number(micros) / 1_000,
        isInTime: Number(valueOf(isThere)) === 1,
        cell: {
          value: entryOf(found),
          lease: leaseOf(valueOf(held)),
          ended:
            valueOf(last) === null ? undefined : { token: String(valueOf(last)), until: Infinity }
        }
      })
    }
  )

const valueOf = (answer: Answer | undefined): unknown =>
  answer !== undefined && isAnswered(answer) ? answer.value : null

/** A stranger's type cannot be read, but stands there: it is removed, or replaced. */
const entryOf = (answer: Answer | undefined): Lease.Cell["value"] => {
  const stored = answer !== undefined && !isAnswered(answer) ? "" : valueOf(answer)
  return stored === null ? undefined : { stored: stored as Encoded, keepUntil: Infinity }
}

/** Runs out on the server: as long as it is there, it has not. */
const leaseOf = (record: unknown): Lease.Lease | undefined => {
  const [, token, duration, awaited] = /^(\S+) (\d+) ([01])$/.exec(String(record)) ?? []
  return token === undefined
    ? undefined
    : { token, duration: Number(duration), until: Infinity, isAwaited: awaited === "1" }
}

/** The commands that turn what was found into what is to be. */
const writesOf = (
  place: Place,
  { cell: { ended, lease, value }, now }: Found,
  after: Lease.Cell
): ReadonlyArray<Call> => {
  const writes: Array<Call> = []
  const lifeUntil = (until: number): ReadonlyArray<string> => {
    const life = keepText(Math.max(1, until - now))
    return life === "" ? [] : ["PX", life]
  }
  if (after.value !== value) {
    writes.push(
      after.value === undefined
        ? ["UNLINK", place.entry]
        : ["SET", place.entry, bytesOf(after.value.stored), ...lifeUntil(after.value.keepUntil)]
    )
  }
  if (after.lease !== lease) {
    const { duration, isAwaited, token, until } = after.lease ?? {}
    writes.push(
      token === undefined || until === undefined || duration === undefined
        ? ["DEL", place.lease]
        : [
            "SET",
            place.lease,
            `${token} ${Math.ceil(duration)} ${isAwaited ? 1 : 0}`,
            ...(until === Infinity ? ["KEEPTTL"] : lifeUntil(until))
          ]
    )
  }
  if (after.ended !== ended && after.ended !== undefined) {
    writes.push(["SET", place.ended, after.ended.token, ...lifeUntil(after.ended.until)])
  }
  return writes
}
