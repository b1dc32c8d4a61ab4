/** What a conformance test checks, in code that runs under any runner. */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Inspectable from "effect/Inspectable"
import * as Schedule from "effect/Schedule"
import * as Utils from "effect/Utils"

/** Something was not as it has to be. */
export class Nonconformity extends Data.TaggedError("Nonconformity")<{
  readonly what: string
  readonly expected: string
  readonly seen: string
}> {
  override get message(): string {
    return `${this.what}\n  expected: ${this.expected}\n  seen:     ${this.seen}`
  }
}

/** Longer values would drown the sentence they are in. */
const maxShown = 600

export const show = (value: unknown): string => {
  const text =
    value === undefined
      ? "undefined"
      : typeof value === "string"
        ? JSON.stringify(value)
        : Inspectable.toStringUnknown(value, 0)
  return text.length > maxShown ? `${text.slice(0, maxShown)}… (${text.length} characters)` : text
}

/** Structural: plain objects and arrays are compared by what they hold. */
export const expectEqual = <A>(
  what: string,
  seen: A,
  expected: NoInfer<A>
): Effect.Effect<void, Nonconformity> =>
  Utils.structuralRegion(() => Equal.equals(seen, expected))
    ? Effect.void
    : new Nonconformity({ what, expected: show(expected), seen: show(seen) })

/** For what no single value describes: `expected` says it in words. */
export const expectThat = (
  what: string,
  holds: boolean,
  expected: string,
  seen: unknown
): Effect.Effect<void, Nonconformity> =>
  holds ? Effect.void : new Nonconformity({ what, expected, seen: show(seen) })

/** How long something that takes its time may take beyond it, in milliseconds. */
const patience = 2_000
const interval = 20

/** Looks again until the check passes; with `sleep` to begin with, where something has to run out. */
export const eventually = <A, E, R>(
  check: Effect.Effect<A, E, R>,
  sleep: Duration.DurationInput = 0
): Effect.Effect<A, E, R> =>
  Effect.delay(
    Effect.retry(check, { schedule: Schedule.spaced(interval), times: patience / interval }),
    sleep
  )
