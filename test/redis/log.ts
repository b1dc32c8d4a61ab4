/** What is logged, kept in place of being printed. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { inspect } from "node:util"

export interface Line {
  readonly level: string
  /** All of it: message, annotations, cause. */
  readonly text: string
}

const showing = (part: unknown): string => (typeof part === "string" ? part : inspect(part))

/** Runs something with the log, of every level, that it has written so far. */
export const withLog = <A, E, R>(
  use: (lines: ReadonlyArray<Line>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const lines: Array<Line> = []
  const keeping = Logger.make(({ annotations, cause, logLevel, message }) => {
    const parts = [
      ...(Array.isArray(message) ? message : [message]),
      ...HashMap.toEntries(annotations),
      Cause.isEmpty(cause) ? "" : Cause.pretty(cause)
    ]
    lines.push({ level: logLevel.label, text: parts.map(showing).join(" ").trim() })
  })
  return Effect.provide(
    use(lines),
    Layer.merge(Logger.replace(Logger.defaultLogger, keeping), Logger.minimumLogLevel(LogLevel.All))
  )
}

export const ofLevel = (lines: ReadonlyArray<Line>, level: string): ReadonlyArray<string> =>
  lines.filter((line) => line.level === level).map(({ text }) => text)
