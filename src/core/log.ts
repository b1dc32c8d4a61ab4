/** Warnings, at a rate that an operator can bear. Never a value, never a secret. */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { keyPattern } from "../policy/keys.js"
import { BackendError, type CacheBackend } from "../port/CacheBackend.js"
import { unsafeNow } from "../port/monotonic.js"
import type { Tally } from "./counters.js"

/** Between two warnings of one subject, in milliseconds. */
const quiet = 30_000
/** Subjects to remember; beyond that the log says nothing new. */
const maxSubjects = 1_000

/** What went wrong last, by the wall clock of this process. */
export interface LastError {
  readonly at: DateTime.Utc
  readonly message: string
}

export interface Log {
  /** What a command failed with is the last error from now on, whether or not it is logged. */
  readonly note: (error: unknown) => void
  /** A command failed; the cache goes on without. Nothing is said of one that was not sent. */
  readonly fault: (command: string, error: unknown) => Effect.Effect<void>
  readonly lastError: () => LastError | undefined
  /** A value cannot be stored where processes share it. Once a key pattern. */
  readonly refused: (key: string, what: string) => Effect.Effect<void>
}

/** Was it sent at all? With the circuit open nothing is: that is no fault of the server's. */
export const isSent = (error: unknown): boolean =>
  !(error instanceof BackendError && error.reason === "CircuitOpen")

export const cannotClear = ({ name }: CacheBackend): Effect.Effect<void> =>
  Effect.logWarning(`Cache backend ${name} cannot clear: its entries live until they expire`)

/** A fault on someone's account. */
export const countFault = (
  { log }: { readonly log: Log },
  tally: Tally,
  command: string,
  cause: Cause.Cause<unknown>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const error = Cause.squash(cause)
    if (isSent(error)) tally.backendErrors++
    return log.fault(command, error)
  })

export const make = (name: string, clock: Clock.Clock): Log => {
  const lastSaid = new Map<string, number>()
  let lastError: LastError | undefined
  const say = (subject: string, interval: number, message: string): Effect.Effect<void> =>
    Effect.withFiberRuntime((fiber) => {
      const now = unsafeNow(fiber)
      const last = lastSaid.get(subject)
      if (last !== undefined && now - last < interval) return Effect.void
      if (last === undefined && lastSaid.size >= maxSubjects) return Effect.void
      lastSaid.set(subject, now)
      return Effect.logWarning(message).pipe(Effect.annotateLogs("cache", name))
    })
  const messageOf = (error: unknown) => (error instanceof Error ? error.message : "unknown error")
  const note = (error: unknown): void => {
    const at = DateTime.unsafeMake(clock.unsafeCurrentTimeMillis())
    lastError = { at, message: messageOf(error) }
  }
  return {
    note,
    fault: (command, error) => {
      if (!isSent(error)) return Effect.void
      note(error)
      return say(
        `fault ${command}`,
        quiet,
        `Cache command ${command} failed, going on without it: ${messageOf(error)}`
      )
    },
    lastError: () => lastError,
    refused: (key, what) => {
      const pattern = keyPattern(key)
      return say(
        `refused ${pattern}`,
        Infinity,
        `A value of ${pattern} is not cached, for it cannot be stored: ${what}. ` +
          "Remedy: a schema that encodes it."
      )
    }
  }
}
