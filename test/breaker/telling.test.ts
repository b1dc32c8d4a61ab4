/** What a circuit breaker tells of its transitions: the log, the metrics, and whoever listens. */
import { expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { failing, makeOpen, settleDown } from "./world.js"

/** Open, half-open, open again, half-open, closed: with calls that change nothing between. */
const life = (name: string) =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({ name })
    yield* Effect.flip(breaker.execute(Effect.void))
    yield* TestClock.adjust("15 seconds")
    yield* Effect.flip(breaker.execute(failing))
    yield* Effect.flip(breaker.execute(Effect.void))
    yield* TestClock.adjust("15 seconds")
    yield* Effect.repeatN(breaker.execute(Effect.void), 5)
    return breaker
  })

it.effect("each transition is one line, annotated with the breaker's name", () =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.make(({ annotations, logLevel, message }) => {
      const breaker = HashMap.unsafeGet(annotations, "breaker")
      lines.push(`${breaker}: ${logLevel.label} ${String(message)}`)
    })
    yield* Effect.provide(life("lines"), Logger.replace(Logger.defaultLogger, logger))
    expect(lines).toEqual([
      "lines: ERROR Circuit breaker opened (failing fast)",
      "lines: INFO Circuit breaker half-open (testing recovery)",
      "lines: ERROR Circuit breaker opened (failing fast)",
      "lines: INFO Circuit breaker half-open (testing recovery)",
      "lines: INFO Circuit breaker closed (recovered)"
    ])
  })
)

it.effect("who reports without a fiber, trips or resets is heard in the log, too, and once", () =>
  Effect.gen(function* () {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ message }) => lines.push(String(message)))
    const breaker = yield* Effect.provide(
      makeOpen({ failureThreshold: 2 }),
      Logger.replace(Logger.defaultLogger, logger)
    )
    yield* breaker.reset
    yield* breaker.reset
    const ticket = breaker.unsafeEnter() ?? NaN
    for (const isFailure of [true, true, true]) breaker.unsafeReport(ticket, isFailure)
    yield* breaker.trip
    const [opened, closed] = [
      "Circuit breaker opened (failing fast)",
      "Circuit breaker closed (recovered)"
    ]
    expect(lines).toEqual([opened, closed, opened])
  })
)

it.effect("the metrics say what it is, where it went, and how many calls it rejected", () =>
  Effect.gen(function* () {
    const counter = (name: string) =>
      Metric.tagged(Metric.counter(name, { incremental: true }), "breaker", "measured")
    const state = Metric.value(
      Metric.tagged(Metric.gauge("larder.circuit.state"), "breaker", "measured")
    )
    const changes = (to: string) =>
      Metric.value(Metric.tagged(counter("larder.circuit.transitions"), "to", to))
    const breaker = yield* life("measured")
    expect((yield* state).value).toBe(0)
    expect((yield* changes("open")).count).toBe(2)
    expect((yield* changes("half-open")).count).toBe(2)
    expect((yield* changes("closed")).count).toBe(1)
    yield* breaker.trip
    expect((yield* state).value).toBe(2)
    expect(breaker.unsafeEnter()).toBeUndefined()
    expect((yield* Metric.value(counter("larder.circuit.rejected"))).count).toBe(3)
    yield* TestClock.adjust("15 seconds")
    yield* breaker.execute(Effect.void)
    expect((yield* state).value).toBe(1)
  })
)

it.effect("transitions are a stream, with their dates, from when one listens", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen()
    const listening = yield* Effect.fork(Stream.runCollect(Stream.take(breaker.transitions, 3)))
    yield* settleDown
    yield* TestClock.adjust("20 seconds")
    yield* Effect.flip(breaker.execute(failing))
    yield* breaker.reset
    const heard = Chunk.map(yield* Fiber.join(listening), ({ at, from, to }) =>
      [from, to, DateTime.toEpochMillis(at)].join(" ")
    )
    expect([...heard]).toEqual([
      "open half-open 20000",
      "half-open open 20000",
      "open closed 20000"
    ])
  })
)

it.effect("a slow listener loses the oldest, and holds nobody up", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen()
    const heard: Array<string> = []
    const slow = Stream.runForEach(breaker.transitions, ({ to }) =>
      Effect.zipRight(
        Effect.sync(() => heard.push(to)),
        Effect.sleep("1 second")
      )
    )
    yield* Effect.fork(slow)
    yield* settleDown
    yield* Effect.repeatN(Effect.zipRight(breaker.reset, breaker.trip), 199)
    yield* TestClock.adjust("15 seconds")
    yield* breaker.execute(Effect.void)
    yield* TestClock.adjust("10 minutes")
    expect(heard.length).toBeGreaterThan(256)
    expect(heard.length).toBeLessThan(400)
    expect(heard.at(-1)).toBe("half-open")
  })
)

it.effect("what listens in the same step hears of each transition once, in order", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({ successThreshold: 1 })
    const heard: Array<string> = []
    breaker.onTransition(({ from, to }) => heard.push(`${from} ${to} ${breaker.unsafeState()}`))
    yield* TestClock.adjust("15 seconds")
    yield* breaker.execute(Effect.void)
    yield* breaker.trip
    expect(heard).toEqual([
      "open half-open half-open",
      "half-open closed closed",
      "closed open open"
    ])
  })
)
