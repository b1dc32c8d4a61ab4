/**
 * A circuit breaker, as pure transitions: whether calls are let through.
 *
 *              failureThreshold failures in a row
 *     closed ────────────────────────────────────► open ◄──────┐
 *        ▲                                           │ until   │ a failure
 *        │        successThreshold successes         ▼         │
 *        └─────────────────────────────────────── half-open ───┘
 *
 * Each transition begins a generation. What comes of a call that was let through in an
 * earlier one says nothing of this one: a server that failed minutes ago may be well.
 * Times are monotonic milliseconds, and may be `Infinity`.
 *
 * @since 0.1.0
 */

/**
 * Whether calls are let through: `closed` all of them, `open` none, `half-open` a few
 * at a time, to find out whether it is worth it again.
 *
 * @since 0.1.0
 * @category models
 */
export type CircuitState = "closed" | "open" | "half-open"

export type Circuit = Closed | Open | HalfOpen

interface Closed {
  readonly state: "closed"
  readonly generation: number
  /** In a row. */
  readonly failures: number
}

interface Open {
  readonly state: "open"
  readonly generation: number
  readonly duration: number
  readonly until: number
  /** In a row: how often it has been half-open since it was closed. */
  readonly failedRecoveries: number
}

interface HalfOpen {
  readonly state: "half-open"
  readonly generation: number
  /** When the first call was let through. */
  readonly since: number
  readonly successes: number
  readonly failedRecoveries: number
}

export interface Rules {
  readonly failureThreshold: number
  readonly successThreshold: number
  /** How long it stays open, asked once an opening. */
  readonly openFor: (failedRecoveries: number) => number
  /**
   * After a recovery that failed, from when: from the failure on, or from when the recovery
   * began, so that what comes back while a probe is on its way waits no longer than others.
   */
  readonly reopensFrom: "failure" | "probe"
}

/** It lets through all, and nothing has failed. */
export const initial: Circuit = { state: "closed", generation: 0, failures: 0 }

/** Someone asks to be let through: an open circuit whose time is up is half-open now. */
export const ask = (circuit: Circuit, now: number): Circuit =>
  circuit.state === "open" && now >= circuit.until
    ? {
        state: "half-open",
        generation: circuit.generation + 1,
        since: now,
        successes: 0,
        failedRecoveries: circuit.failedRecoveries
      }
    : circuit

/** A call that was let through in `generation` has succeeded. */
export const succeed = (circuit: Circuit, generation: number, rules: Rules): Circuit => {
  if (circuit.generation !== generation) return circuit
  if (circuit.state === "half-open") {
    const successes = circuit.successes + 1
    return successes < rules.successThreshold ? { ...circuit, successes } : reset(circuit)
  }
  return circuit.state === "closed" && circuit.failures > 0 ? { ...circuit, failures: 0 } : circuit
}

/** A call that was let through in `generation` has failed. */
export const fail = (circuit: Circuit, generation: number, now: number, rules: Rules): Circuit => {
  if (circuit.generation !== generation) return circuit
  if (circuit.state === "closed") {
    const failures = circuit.failures + 1
    return failures < rules.failureThreshold ? { ...circuit, failures } : trip(circuit, now, rules)
  }
  const isFromProbe = rules.reopensFrom === "probe" && circuit.state === "half-open"
  return trip(circuit, isFromProbe ? circuit.since : now, rules)
}

/** Opens it, whatever it is. Is it open already, its time begins anew. */
export const trip = (circuit: Circuit, now: number, rules: Rules): Circuit => {
  if (circuit.state === "open") return { ...circuit, until: now + circuit.duration }
  const failedRecoveries = circuit.state === "half-open" ? circuit.failedRecoveries + 1 : 0
  const duration = rules.openFor(failedRecoveries)
  return {
    state: "open",
    generation: circuit.generation + 1,
    duration,
    until: now + duration,
    failedRecoveries
  }
}

/** Closes it, whatever it is, and forgets what has failed. */
export const reset = ({ generation }: Circuit): Circuit => ({
  ...initial,
  generation: generation + 1
})

/** How many more milliseconds nobody will be let through. */
export const retryAfter = (circuit: Circuit, now: number): number =>
  circuit.state === "open" ? Math.max(0, circuit.until - now) : 0
