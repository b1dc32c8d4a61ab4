/** Fibers yield anywhere: a scheduler that makes them, at a step of the test's choice. */
import * as Scheduler from "effect/Scheduler"

/** Yields once, at that step, and does something meanwhile. */
export const yieldingAt = (step: number, meanwhile: () => void): Scheduler.Scheduler => {
  let steps = 0
  return {
    shouldYield: () => {
      if (++steps !== step) return false
      meanwhile()
      return 0
    },
    scheduleTask: (task, priority) => Scheduler.defaultScheduler.scheduleTask(task, priority)
  }
}
