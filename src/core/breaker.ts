/** A circuit breaker: one state that synchronous steps change, and permits for its probes. */
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as STM from "effect/STM"
import type * as Stream from "effect/Stream"
import * as TRef from "effect/TRef"
import * as Circuit from "../policy/circuit.js"
import { nowOf } from "../port/monotonic.js"
import { CircuitOpen } from "./circuitOpen.js"
import { type Options, settings } from "./circuitSettings.js"
import * as Transitions from "./circuitTransitions.js"

export type { CircuitState } from "../policy/circuit.js"
export type { Options } from "./circuitSettings.js"
export type { Transition } from "./circuitTransitions.js"

/**
 * Lets calls through to something as long as that answers.
 *
 * - `execute` runs a call and gives what comes of it, or fails with `CircuitOpen` and does
 *   not begin it. It sets no limit to a call's time: a call that never ends says nothing,
 *   and in half-open it keeps its place
 * - `state`: as it is. That an open one's time is up shows when the next call comes
 * - `transitions`: from now on, without end. Slow listeners lose the oldest: 256 are kept
 * - `trip` opens it, as if a call had failed once too often, and from any state for all of
 *   `openFor`; `reset` closes it, and takes their places from calls that never ended. What
 *   comes of calls begun before is ignored
 *
 * @since 0.1.0
 * @category models
 */
export interface CircuitBreaker {
  readonly name: string
  readonly execute: <A, E, R>(
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | CircuitOpen, R>
  readonly state: Effect.Effect<Circuit.CircuitState>
  readonly transitions: Stream.Stream<Transitions.Transition>
  readonly trip: Effect.Effect<void>
  readonly reset: Effect.Effect<void>
}

/** With what a cache needs, which has no time for a step of a fiber. */
export interface Breaker extends CircuitBreaker {
  readonly unsafeState: () => Circuit.CircuitState
  /** When it last changed. */
  readonly unsafeSince: () => DateTime.Utc
  /** In milliseconds, until a probe may be sent; 0 if one may be now, or if it is closed. */
  readonly unsafeRetryAfter: () => number
  /** A ticket for a call that may be no probe; undefined if the circuit is not closed. */
  readonly unsafeEnter: () => number | undefined
  /**
   * How the call with that ticket ended. Ignored if the circuit has changed since. A call
   * that was interrupted reports nothing.
   */
  readonly unsafeReport: (ticket: number, isFailure: boolean) => void
  /** Called in the step that makes it. */
  readonly onTransition: (listener: (transition: Transitions.Transition) => void) => void
}

export const make = Effect.fnUntraced(function* (
  options: Options = {},
  reopensFrom: Circuit.Rules["reopensFrom"] = "failure"
) {
  const { isFailure, name, rules } = yield* settings(options, reopensFrom)
  const clock = yield* Effect.clock
  const transitions = yield* Transitions.make(name)
  // One for every probe in flight, also for one that a half-open of long ago has begun. To
  // reset it is to issue all of them anew: what is given back of an earlier issue is void.
  const permits = yield* TRef.make({ issue: 0, left: rules.successThreshold })
  const dateOf = () => DateTime.unsafeMake(clock.unsafeCurrentTimeMillis())
  let circuit = Circuit.initial
  let since = dateOf()

  const become = (next: Circuit.Circuit): void => {
    const from = circuit.state
    circuit = next
    if (next.state === from) return
    since = dateOf()
    transitions.emit({ from, to: next.state, at: since })
  }
  const unsafeReport = (ticket: number, isFailed: boolean): void =>
    become(
      isFailed
        ? Circuit.fail(circuit, ticket, nowOf(clock), rules)
        : Circuit.succeed(circuit, ticket, rules)
    )
  const unsafeRetryAfter = () => Circuit.retryAfter(circuit, nowOf(clock))

  const reject = Effect.suspend(() => {
    transitions.reject()
    // Rounded up: whoever sleeps for so many whole milliseconds does not wake up too early.
    const retryAfter = Duration.millis(Math.ceil(unsafeRetryAfter()))
    // Checked, it would cost five times as much, at a time when everything is rejected.
    return Effect.fail(new CircuitOpen({ name, retryAfter }, { disableValidation: true }))
  })

  const judged = <A, E, R>(effect: Effect.Effect<A, E, R>, ticket: number) =>
    Effect.matchCauseEffect(effect, {
      // Of its own interruption a fiber tells nobody here, unless it is uninterruptible.
      onFailure: (cause) => {
        if (!Cause.isInterruptedOnly(cause)) unsafeReport(ticket, isFailure(Cause.squash(cause)))
        return Effect.failCause(cause)
      },
      onSuccess: (value) => {
        unsafeReport(ticket, false)
        return Effect.succeed(value)
      }
    })

  const takePermit = STM.commit(
    TRef.modify(permits, ({ issue, left }) =>
      left > 0 ? [issue, { issue, left: left - 1 }] : [undefined, { issue, left }]
    )
  )
  const givePermit = (of: number) =>
    STM.commit(
      TRef.update(permits, ({ issue, left }) => ({ issue, left: issue === of ? left + 1 : left }))
    )
  const reissue = STM.commit(
    TRef.update(permits, ({ issue }) => ({ issue: issue + 1, left: rules.successThreshold }))
  )

  const probe = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.uninterruptibleMask((restore) => {
      // Asked with a permit in hand. Meanwhile others may have opened it anew, or closed it.
      const attempt = Effect.suspend((): Effect.Effect<A, E | CircuitOpen, R> => {
        become(Circuit.ask(circuit, nowOf(clock)))
        return circuit.state === "open" ? reject : restore(judged(effect, circuit.generation))
      })
      return Effect.flatMap(takePermit, (permit) =>
        permit === undefined ? reject : Effect.ensuring(attempt, givePermit(permit))
      )
    })

  const execute = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend((): Effect.Effect<A, E | CircuitOpen, R> => {
      if (circuit.state === "closed") return judged(effect, circuit.generation)
      return unsafeRetryAfter() > 0 ? reject : probe(effect)
    })

  const breaker: Breaker = {
    name,
    execute,
    state: Effect.sync(() => circuit.state),
    transitions: transitions.stream,
    trip: Effect.sync(() => become(Circuit.trip(circuit, nowOf(clock), rules))),
    reset: Effect.uninterruptible(
      Effect.zipRight(
        reissue,
        Effect.sync(() => become(Circuit.reset(circuit)))
      )
    ),
    unsafeState: () => circuit.state,
    unsafeSince: () => since,
    unsafeRetryAfter,
    unsafeEnter: () => {
      if (circuit.state === "closed") return circuit.generation
      transitions.reject()
      return undefined
    },
    unsafeReport,
    onTransition: transitions.listen
  }
  return breaker
})
