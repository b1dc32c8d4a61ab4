/** Reading what users set: durations as milliseconds, and what to say of a wrong one. */
import * as Duration from "effect/Duration"

/** An option that may be unset, in milliseconds. Throws where it is none, or negative. */
export const millis = (
  name: string,
  input: Duration.DurationInput | undefined,
  otherwise: number
): number => {
  if (input === undefined) return otherwise
  const known = typeof input === "string" ? texts.get(input) : undefined
  if (known !== undefined) return known
  // Decoding takes -1 and NaN for zero, with which nothing would be cached.
  const isNumber = typeof input === "number" || typeof input === "bigint"
  if (isNumber && !(input >= 0)) throw wrong(name, input, allowed)
  if (typeof input === "string" && input.trim().startsWith("-")) throw wrong(name, input, allowed)
  let decoded: number
  try {
    decoded = Duration.toMillis(input)
  } catch {
    throw wrong(name, input, allowed)
  }
  if (typeof input === "string" && texts.size < maxTexts) texts.set(input, decoded)
  return decoded
}

/** Durations are texts in the sources of a program: few, and asked for at every read. */
const texts = new Map<string, number>()
const maxTexts = 100

const allowed = 'a duration from zero up: milliseconds, "5 seconds", Duration.minutes(1)'

/** A defect of whoever wrote the setting, with what it may be. */
export const wrong = (name: string, value: unknown, allowed: string): Error =>
  new Error(`effect-larder: ${wrongness(name, value, allowed)}`)

/** Likewise, as a part of another message. */
export const wrongness = (name: string, value: unknown, allowed: string): string =>
  `${name} is ${typeof value === "string" ? JSON.stringify(value) : String(value)}; allowed: ${allowed}`
