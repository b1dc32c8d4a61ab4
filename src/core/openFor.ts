/** How long a circuit stays open: always the same, or longer with every recovery that fails. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import * as ScheduleDecision from "effect/ScheduleDecision"
import { now } from "../port/monotonic.js"
import { millis, wrong } from "./option.js"

export type OpenFor = (failedRecoveries: number) => number

export const openFor = (
  given: Duration.DurationInput | Schedule.Schedule<unknown> | undefined
): Effect.Effect<OpenFor> => {
  if (Schedule.isSchedule(given)) return delaysOf(given)
  return Effect.sync(() => {
    const always = millis("openFor", given, 15_000)
    return () => always
  })
}

/**
 * Begun anew with each first failure. A circuit opens in one synchronous step: so a schedule
 * that has ended, or does not decide at once, goes on with its last delay.
 */
const delaysOf = Effect.fnUntraced(function* (schedule: Schedule.Schedule<unknown>) {
  const delays = Schedule.delays(schedule)
  const runtime = yield* Effect.runtime<never>()
  const next = (state: unknown) => Effect.flatMap(now, (at) => delays.step(at, undefined, state))
  const [, first, decision] = yield* next(delays.initial)
  if (ScheduleDecision.isDone(decision)) {
    throw wrong("the first delay of openFor", undefined, "a schedule with one")
  }
  let state: unknown = delays.initial
  let last = Duration.toMillis(first)
  return (failedRecoveries: number): number => {
    if (failedRecoveries === 0) state = delays.initial
    const exit = Runtime.runSyncExit(runtime)(next(state))
    if (Exit.isSuccess(exit) && ScheduleDecision.isContinue(exit.value[2])) {
      state = exit.value[0]
      last = Duration.toMillis(exit.value[1])
    }
    return last
  }
})
