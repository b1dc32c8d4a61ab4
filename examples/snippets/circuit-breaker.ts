import { Effect, Schedule, Stream } from "effect"
import { CircuitBreaker } from "effect-larder"

class NotFound {
  readonly _tag = "NotFound"
}

export const make = CircuitBreaker.make({
  name: "payments",
  // Open for 1 second, and with every recovery that fails twice as long, up to a minute.
  openFor: Schedule.union(Schedule.exponential("1 second"), Schedule.spaced("1 minute")),
  // Whoever says "not found" is well.
  isFailure: (error) => !(error instanceof NotFound)
})

export const follow = (payments: CircuitBreaker.CircuitBreaker) =>
  Stream.runForEach(payments.transitions, ({ from, to }) =>
    Effect.logWarning(`${payments.name} was ${from} and is ${to}`)
  )
