/** Long random lives of a circuit breaker, beside a model that only knows what it has been told. */
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Schedule from "effect/Schedule"
import { type Call, World } from "./world.js"

const delays = [1_000, 2_000, 4_000] as const

interface Rules {
  readonly failureThreshold: number
  readonly successThreshold: number
}

type Answer = "success" | "failure" | "timeout" | "defect" | "not found" | "interruption"

const exits: Readonly<Record<Exclude<Answer, "interruption">, Exit.Exit<string, string>>> = {
  success: Exit.succeed("well"),
  failure: Exit.fail("refused"),
  timeout: Exit.die(new Cause.TimeoutException()),
  defect: Exit.die("a bug"),
  "not found": Exit.fail("not found")
}

const isBad = (answer: Answer): boolean => answer !== "success" && answer !== "not found"

/** In a state: when it began, and what it has heard since, in order: was it bad? */
class Model {
  now = 0
  state: "closed" | "open" | "half-open" = "closed"
  period = 0
  changes = 0
  until = 0
  failedRecoveries = 0
  heard: Array<boolean> = []
  readonly inFlight: Array<{ readonly period: number; isProbe: boolean }> = []
  readonly tickets: Array<number> = []

  constructor(readonly rules: Rules) {}

  get probes(): number {
    return this.inFlight.filter(({ isProbe }) => isProbe).length
  }

  get retryAfter(): number {
    return this.state === "open" ? Math.max(0, this.until - this.now) : 0
  }

  /** Is the call let through? */
  call(): boolean {
    const isProbe = this.state !== "closed"
    if (isProbe && (this.retryAfter > 0 || this.probes >= this.rules.successThreshold)) return false
    if (this.state === "open") this.go("half-open")
    this.inFlight.push({ period: this.period, isProbe })
    return true
  }

  hear(period: number, isBad: boolean): void {
    if (period !== this.period) return
    this.heard.push(isBad)
    const { failureThreshold, successThreshold } = this.rules
    if (this.state === "half-open") {
      if (isBad) this.open()
      else if (this.heard.length === successThreshold) this.go("closed")
    } else if (this.state === "closed") {
      const last = this.heard.slice(-failureThreshold)
      if (last.length === failureThreshold && last.every(Boolean)) this.open()
    }
  }

  open(): void {
    if (this.state !== "open") {
      this.failedRecoveries = this.state === "half-open" ? this.failedRecoveries + 1 : 0
      this.go("open")
    }
    this.until = this.now + (delays[this.failedRecoveries] ?? 4_000)
  }

  go(state: Model["state"]): void {
    if (state !== this.state) this.changes++
    this.state = state
    this.period++
    this.heard = []
  }
}

class Real {
  readonly world: World
  readonly calls: Array<Call> = []
  readonly tickets: Array<number> = []
  changes = 0

  constructor(rules: Rules) {
    const [first, ...others] = delays
    this.world = new World({
      ...rules,
      openFor: Schedule.fromDelays(first, ...others),
      isFailure: (error) => error !== "not found"
    })
    this.world.breaker.onTransition(() => this.changes++)
  }
}

/** How often each thing was done: a command that is never run would prove nothing. */
const done = new Map<string, number>()
const count = (what: string): void => void done.set(what, (done.get(what) ?? 0) + 1)

type Command = FastCheck.Command<Model, Real>

/** One step of both, after which they agree. */
const command = (
  name: string,
  step: (model: Model, real: Real) => void,
  check: (model: Model) => boolean = () => true
): Command => ({
  toString: () => name,
  check,
  run: (model, real) => {
    step(model, real)
    count("steps")
    count(model.state)
    const { breaker, inFlight } = real.world
    expect({
      state: breaker.unsafeState(),
      retryAfter: breaker.unsafeRetryAfter(),
      inFlight,
      changes: real.changes
    }).toEqual({
      state: model.state,
      retryAfter: model.retryAfter,
      inFlight: model.inFlight.length,
      changes: model.changes
    })
    expect(model.probes).toBeLessThanOrEqual(model.rules.successThreshold)
  }
})

const begin = command("begin", (model, real) => {
  const outcome = real.world.call()
  expect(Either.isRight(outcome)).toBe(model.call())
  if (Either.isRight(outcome)) {
    real.calls.push(outcome.right)
  } else {
    count("rejected")
    expect(Duration.toMillis(outcome.left.retryAfter)).toBe(model.retryAfter)
  }
})

const end = (place: number, answer: Answer): Command =>
  command(
    `end ${place} by ${answer}`,
    (model, real) => {
      const [call] = model.inFlight.splice(place % model.inFlight.length, 1)
      const [realCall] = real.calls.splice(place % real.calls.length, 1)
      if (call === undefined || realCall === undefined) throw new Error("nothing to end")
      if (call.period !== model.period) count("late")
      if (answer === "interruption") {
        realCall.interrupt()
      } else {
        realCall.answer(exits[answer])
        model.hear(call.period, isBad(answer))
      }
    },
    ({ inFlight }) => inFlight.length > 0
  )

const enter = command("enter", (model, real) => {
  const ticket = real.world.breaker.unsafeEnter()
  expect(ticket !== undefined).toBe(model.state === "closed")
  if (ticket === undefined) return
  real.tickets.push(ticket)
  model.tickets.push(model.period)
})

const report = (place: number, isFailure: boolean): Command =>
  command(
    `report ${place} ${isFailure}`,
    (model, real) => {
      const [period = NaN] = model.tickets.splice(place % model.tickets.length, 1)
      const [ticket = NaN] = real.tickets.splice(place % real.tickets.length, 1)
      real.world.breaker.unsafeReport(ticket, isFailure)
      model.hear(period, isFailure)
    },
    ({ tickets }) => tickets.length > 0
  )

const trip = command("trip", (model, real) => {
  real.world.fork(real.world.breaker.trip)
  model.open()
})

const reset = command("reset", (model, real) => {
  real.world.fork(real.world.breaker.reset)
  // They go on, but nobody waits for their places any more.
  for (const call of model.inFlight) call.isProbe = false
  model.go("closed")
})

const pass = (time: number): Command =>
  command(`pass ${time}`, (model, real) => {
    model.now += time
    real.world.now += time
  })

/** Whatever somebody does to the wall clock. */
const setWallClock = (by: number): Command =>
  command(`set the wall clock by ${by}`, (_, real) => {
    real.world.wall += by
  })

const place = FastCheck.nat(100)
const often = <A>(weight: number, arbitrary: FastCheck.Arbitrary<A>) => ({ weight, arbitrary })
const answer = FastCheck.oneof(
  often(4, FastCheck.constant<Answer>("success")),
  often(4, FastCheck.constant<Answer>("failure")),
  often(3, FastCheck.constantFrom<Answer>("timeout", "defect", "not found", "interruption"))
)

const anyCommand = FastCheck.oneof(
  often(30, FastCheck.constant(begin)),
  often(
    30,
    FastCheck.tuple(place, answer).map(([place, answer]) => end(place, answer))
  ),
  often(5, FastCheck.constant(enter)),
  often(
    5,
    FastCheck.tuple(place, FastCheck.boolean()).map(([place, bad]) => report(place, bad))
  ),
  often(12, FastCheck.integer({ min: 1, max: 2_500 }).map(pass)),
  often(2, FastCheck.integer({ min: -5_000, max: 5_000 }).map(setWallClock)),
  often(1, FastCheck.constant(trip)),
  often(1, FastCheck.constant(reset))
)

const rules = FastCheck.record({
  failureThreshold: FastCheck.integer({ min: 1, max: 5 }),
  successThreshold: FastCheck.integer({ min: 1, max: 3 })
})

/** Whatever has happened: once nothing is in flight and its time is up, successes close it. */
const recover = ({ calls, world }: Real, { successThreshold }: Rules): void => {
  for (const call of calls) call.interrupt()
  world.now += 4_000
  for (let successes = 0; successes < successThreshold; successes++) {
    Either.getOrThrow(world.call()).answer(exits.success)
  }
  expect(world.breaker.unsafeState()).toBe("closed")
}

it("it lives as its model does, and from wherever it is successes close it", () => {
  FastCheck.assert(
    FastCheck.property(
      rules,
      FastCheck.commands([anyCommand], { maxCommands: 400, size: "max" }),
      (rules, commands) => {
        const real = new Real(rules)
        FastCheck.modelRun(() => ({ model: new Model(rules), real }), commands)
        recover(real, rules)
      }
    ),
    { numRuns: 800 }
  )
  console.log(`model of the circuit breaker: ${[...done].map((it) => it.join(" ")).join(", ")}`)
  expect(done.get("steps")).toBeGreaterThan(100_000)
  for (const what of ["closed", "open", "half-open", "late", "rejected"]) {
    expect(done.get(what), what).toBeGreaterThan(1_000)
  }
}, 120_000)
