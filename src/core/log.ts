/** Warnings, at a rate that an operator can bear. Never a value, never a secret. */
import * as Effect from "effect/Effect"
import { keyPattern } from "../policy/keys.js"
import { unsafeNow } from "../port/monotonic.js"

/** Between two warnings of one subject, in milliseconds. */
const quiet = 30_000
/** Subjects to remember; beyond that the log says nothing new. */
const maxSubjects = 1_000

export interface Log {
  /** A command failed; the cache goes on without. */
  readonly fault: (command: string, error: unknown) => Effect.Effect<void>
  /** A value cannot be stored where processes share it. Once a key pattern. */
  readonly refused: (key: string, what: string) => Effect.Effect<void>
}

export const make = (name: string): Log => {
  const lastSaid = new Map<string, number>()
  const say = (subject: string, interval: number, message: string): Effect.Effect<void> =>
    Effect.withFiberRuntime((fiber) => {
      const now = unsafeNow(fiber)
      const last = lastSaid.get(subject)
      if (last !== undefined && now - last < interval) return Effect.void
      if (last === undefined && lastSaid.size >= maxSubjects) return Effect.void
      lastSaid.set(subject, now)
      return Effect.logWarning(message).pipe(Effect.annotateLogs("cache", name))
    })
  return {
    fault: (command, error) =>
      say(
        `fault ${command}`,
        quiet,
        `Cache command ${command} failed, going on without it: ${
          error instanceof Error ? error.message : "unknown error"
        }`
      ),
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
