import { describe, expect, it } from "vitest"
import {
  ask,
  type Circuit,
  fail,
  initial,
  reset,
  retryAfter,
  type Rules,
  succeed,
  trip
} from "../../src/policy/circuit.js"

const rules: Rules = {
  failureThreshold: 3,
  successThreshold: 2,
  openFor: (failedRecoveries) => 1_000 * 2 ** failedRecoveries,
  reopensFrom: "failure"
}

/** Events of the present generation: time is 0 for all. */
const after = (circuit: Circuit, events: string): Circuit =>
  [...events].reduce(
    (circuit, event) =>
      event === "+"
        ? succeed(circuit, circuit.generation, rules)
        : event === "-"
          ? fail(circuit, circuit.generation, 0, rules)
          : ask(circuit, Infinity),
    circuit
  )

const open = after(initial, "---")
const halfOpen = ask(open, 1_000)

describe("a circuit", () => {
  it.each([
    ["--", "closed"],
    ["---", "open"],
    ["--+--", "closed"],
    ["--+---", "open"],
    ["---?", "half-open"],
    ["---?+", "half-open"],
    ["---?++", "closed"],
    ["---?+-", "open"],
    ["---?++--", "closed"],
    ["---?++---", "open"]
  ])("after %s is %s (- a failure, + a success, ? its time is up)", (events, state) => {
    expect(after(initial, events).state).toBe(state)
  })

  it("lets nobody try before its time is up", () => {
    expect(ask(open, 999)).toBe(open)
    expect(ask(open, 1_000).state).toBe("half-open")
    expect(ask(initial, Infinity)).toBe(initial)
    expect(ask(halfOpen, Infinity)).toBe(halfOpen)
  })

  it("opens again from when a probe has failed, or from when it was let through", () => {
    const failed = (reopensFrom: Rules["reopensFrom"]) =>
      fail(halfOpen, halfOpen.generation, 1_700, { ...rules, reopensFrom })
    expect(failed("failure")).toMatchObject({ state: "open", until: 3_700, duration: 2_000 })
    expect(failed("probe")).toMatchObject({ state: "open", until: 3_000, duration: 2_000 })
    const opened = after(initial, "--")
    expect(fail(opened, 0, 500, { ...rules, reopensFrom: "probe" })).toMatchObject({ until: 1_500 })
  })

  it("says how long nobody will be let through", () => {
    expect(retryAfter(open, 400)).toBe(600)
    expect(retryAfter(open, 1_001)).toBe(0)
    expect(retryAfter(halfOpen, 0)).toBe(0)
    expect(retryAfter(initial, 0)).toBe(0)
  })

  it("begins a generation with every transition", () => {
    const closed = after(halfOpen, "++")
    const generations = [initial, open, halfOpen, closed].map(({ generation }) => generation)
    expect(generations).toEqual([0, 1, 2, 3])
  })

  it("ignores what comes of an earlier generation", () => {
    for (const circuit of [open, halfOpen, after(halfOpen, "+"), after(halfOpen, "++-")]) {
      expect(fail(circuit, circuit.generation - 1, 0, rules)).toBe(circuit)
      expect(succeed(circuit, circuit.generation - 1, rules)).toBe(circuit)
    }
  })

  it("is not made anew by a success that changes nothing", () => {
    expect(succeed(initial, 0, rules)).toBe(initial)
  })

  it("stays open longer with every recovery that fails in a row", () => {
    let circuit = open
    for (const duration of [1_000, 2_000, 4_000, 8_000]) {
      expect(retryAfter(circuit, 0)).toBe(duration)
      circuit = after(circuit, "?-")
    }
    expect(retryAfter(after(circuit, "?++---"), 0)).toBe(1_000)
  })

  it("can be opened from any state, for all of its time", () => {
    for (const circuit of [initial, open]) {
      const tripped = trip(circuit, 500, rules)
      expect([tripped.state, retryAfter(tripped, 500)]).toEqual(["open", 1_000])
    }
    expect(retryAfter(trip(halfOpen, 0, rules), 0)).toBe(2_000)
  })

  it("can be closed from any state, and has then forgotten what failed", () => {
    for (const circuit of [after(initial, "--"), open, halfOpen]) {
      const closed = reset(circuit)
      expect(closed).toEqual({ state: "closed", generation: circuit.generation + 1, failures: 0 })
    }
  })
})
