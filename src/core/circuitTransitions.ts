/** Tells of a circuit's transitions: the log, the metrics, and whoever listens. */
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as PubSub from "effect/PubSub"
import * as Runtime from "effect/Runtime"
import * as Stream from "effect/Stream"
import type { CircuitState } from "../policy/circuit.js"

/**
 * A circuit breaker went from one state to another.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transition {
  readonly from: CircuitState
  readonly to: CircuitState
  readonly at: DateTime.Utc
}

type Listener = (transition: Transition) => void

const lines: Readonly<Record<CircuitState, Effect.Effect<void>>> = {
  closed: Effect.logInfo("Circuit breaker closed (recovered)"),
  "half-open": Effect.logInfo("Circuit breaker half-open (testing recovery)"),
  open: Effect.logError("Circuit breaker opened (failing fast)")
}

const levels: Readonly<Record<CircuitState, number>> = { closed: 0, "half-open": 1, open: 2 }

const stateMetric = Metric.gauge("larder.circuit.state")
const transitionsMetric = Metric.counter("larder.circuit.transitions", { incremental: true })
const rejectedMetric = Metric.counter("larder.circuit.rejected", { incremental: true })

export const make = Effect.fnUntraced(function* (name: string) {
  const runtime = yield* Effect.runtime<never>()
  const hub = yield* PubSub.sliding<Transition>(256)
  const listeners: Array<Listener> = []
  const state = Metric.tagged(stateMetric, "breaker", name)
  const transitions = Metric.tagged(transitionsMetric, "breaker", name)
  const rejected = Metric.tagged(rejectedMetric, "breaker", name)
  state.unsafeUpdate(levels.closed, [])
  return {
    /** A call was not let through. */
    reject: () => rejected.unsafeUpdate(1, []),
    stream: Stream.fromPubSub(hub),
    listen: (listener: Listener): void => void listeners.push(listener),
    /** In one step, and in no fiber of a call: it may be interrupted, or there is none. */
    emit: (transition: Transition): void => {
      const { to } = transition
      state.unsafeUpdate(levels[to], [])
      Metric.tagged(transitions, "to", to).unsafeUpdate(1, [])
      const telling = Effect.zipRight(PubSub.publish(hub, transition), lines[to])
      Runtime.runSyncExit(runtime)(Effect.annotateLogs(telling, "breaker", name))
      for (const listener of listeners) listener(transition)
    }
  }
})
