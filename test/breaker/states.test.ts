/** What opens a circuit breaker, what closes it, and who is let through. */
import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { CircuitBreaker, CircuitOpen } from "effect-larder"
import { failing, makeOpen, settleDown, World } from "./world.js"

const times = <A, E>(count: number, call: Effect.Effect<A, E>) =>
  Effect.repeatN(Effect.exit(call), count - 1)

it.effect("four failures, a success and four failures leave it closed; the fifth opens it", () =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make()
    yield* times(4, breaker.execute(failing))
    yield* breaker.execute(Effect.void)
    yield* times(4, breaker.execute(failing))
    expect(yield* breaker.state).toBe("closed")
    yield* times(1, breaker.execute(failing))
    expect(yield* breaker.state).toBe("open")
  })
)

it.effect("what comes of a call is what its caller gets", () =>
  Effect.gen(function* () {
    const { execute } = yield* CircuitBreaker.make()
    expect(yield* execute(Effect.succeed(42))).toBe(42)
    expect(yield* Effect.exit(execute(failing))).toEqual(Exit.fail("refused"))
    expect(yield* Effect.exit(execute(Effect.die("a bug")))).toEqual(Exit.die("a bug"))
  })
)

it.effect("while it is open no call is begun, and each is told when to try again", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({ name: "payments" })
    yield* TestClock.adjust("5 seconds")
    let calls = 0
    const error = yield* Effect.flip(breaker.execute(Effect.sync(() => calls++)))
    expect(error).toEqual(new CircuitOpen({ name: "payments", retryAfter: Duration.seconds(10) }))
    expect(calls).toBe(0)
  })
)

it.effect.each([
  [Duration.millis(1_500), "in 1500 ms"],
  [Duration.zero, "when others have found out that it is worth it"],
  [Duration.infinity, "when it has been reset"]
] as const)("one that is rejected for %s reads when to try again", ([retryAfter, when]) =>
  Effect.sync(() => {
    expect(new CircuitOpen({ name: "payments", retryAfter }).message).toBe(
      `The circuit breaker "payments" is open; try again ${when}`
    )
  })
)

it("who sleeps as long as it was told does not come too early", () => {
  const world = new World({ openFor: "10 millis" })
  world.fork(world.breaker.trip)
  world.now = 0.3
  const { retryAfter } = Either.getOrThrow(Either.flip(world.call()))
  expect(Duration.toMillis(retryAfter)).toBe(10)
})

it.effect("no probe is sent before its time is up; two successes then close it", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen()
    yield* TestClock.adjust("14999 millis")
    expect(yield* Effect.flip(breaker.execute(failing))).toBeInstanceOf(CircuitOpen)
    yield* TestClock.adjust("1 millis")
    expect(yield* breaker.state).toBe("open")
    yield* breaker.execute(Effect.void)
    expect(yield* breaker.state).toBe("half-open")
    yield* breaker.execute(Effect.void)
    expect(yield* breaker.state).toBe("closed")
  })
)

it.effect("a failure in half-open opens it again, for all of its time", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen()
    yield* TestClock.adjust("20 seconds")
    yield* breaker.execute(Effect.void)
    yield* Effect.flip(breaker.execute(failing))
    const { retryAfter } = yield* Effect.flip(breaker.execute(Effect.void))
    expect(retryAfter).toEqual(Duration.seconds(15))
  })
)

it.effect("in half-open no more calls are in flight than successes are wanted", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({ successThreshold: 3 })
    yield* TestClock.adjust("15 seconds")
    const answer = yield* Deferred.make<void>()
    let inFlight = 0
    const call = Effect.zipRight(
      Effect.sync(() => inFlight++),
      Deferred.await(answer)
    )
    const crowd = yield* Effect.fork(
      Effect.all(
        Array.from({ length: 10 }, () => Effect.option(breaker.execute(call))),
        { concurrency: "unbounded" }
      )
    )
    yield* settleDown
    expect(inFlight).toBe(3)
    const { retryAfter } = yield* Effect.flip(breaker.execute(Effect.void))
    expect(retryAfter).toEqual(Duration.zero)
    yield* Deferred.succeed(answer, undefined)
    const ends = yield* Fiber.join(crowd)
    expect(ends.filter(({ _tag }) => _tag === "Some")).toHaveLength(3)
    expect(yield* breaker.state).toBe("closed")
  })
)

// Begun when it was closed │ opened │ half-open │ its end says nothing of now
it.effect.each([Exit.void, Exit.fail("refused")])(
  "what comes late of a call begun before it opened changes nothing: %s",
  (exit) =>
    Effect.gen(function* () {
      const breaker = yield* CircuitBreaker.make({ failureThreshold: 1 })
      const answer = yield* Deferred.make<void, string>()
      const late = yield* Effect.fork(Effect.exit(breaker.execute(Deferred.await(answer))))
      yield* settleDown
      yield* times(1, breaker.execute(failing))
      yield* TestClock.adjust("15 seconds")
      yield* breaker.execute(Effect.void)
      yield* Deferred.done(answer, exit)
      expect(yield* Fiber.join(late)).toEqual(exit)
      expect(yield* breaker.state).toBe("half-open")
      yield* breaker.execute(Effect.void)
      expect(yield* breaker.state).toBe("closed")
    })
)

it.effect("defects and timeouts count as failures, and interruptions as nothing", () =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make({ failureThreshold: 3 })
    yield* times(1, breaker.execute(Effect.die("a bug")))
    const limited = yield* Effect.fork(
      Effect.exit(breaker.execute(Effect.timeout(Effect.never, "1 second")))
    )
    yield* TestClock.adjust("1 second")
    yield* Fiber.join(limited)
    yield* times(3, breaker.execute(Effect.interrupt))
    const running = yield* Effect.fork(breaker.execute(Effect.never))
    yield* settleDown
    yield* Fiber.interrupt(running)
    expect(yield* breaker.state).toBe("closed")
    // Had one of them been a success, the row would have been broken.
    yield* times(1, breaker.execute(failing))
    expect(yield* breaker.state).toBe("open")
  })
)

it.effect("a failure that interrupts its siblings is a failure", () =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make({ failureThreshold: 1 })
    const both = Effect.all([Effect.never, failing], { concurrency: "unbounded" })
    yield* times(1, breaker.execute(both))
    expect(yield* breaker.state).toBe("open")
  })
)

it.effect("an error that is no failure is an answer: it breaks the row, and closes", () =>
  Effect.gen(function* () {
    const asked: Array<unknown> = []
    const breaker = yield* CircuitBreaker.make({
      failureThreshold: 2,
      successThreshold: 1,
      isFailure: (error) => {
        asked.push(error)
        return error !== "not found"
      }
    })
    yield* times(1, breaker.execute(failing))
    yield* times(1, breaker.execute(Effect.fail("not found")))
    yield* times(1, breaker.execute(failing))
    yield* times(1, breaker.execute(Effect.interrupt))
    expect(yield* breaker.state).toBe("closed")
    yield* times(1, breaker.execute(Effect.die("a bug")))
    expect(yield* breaker.state).toBe("open")
    yield* TestClock.adjust("15 seconds")
    yield* times(1, breaker.execute(Effect.fail("not found")))
    expect(yield* breaker.state).toBe("closed")
    expect(asked).toEqual(["refused", "not found", "refused", "a bug", "not found"])
  })
)

it.effect("an isFailure that throws says that it is one; the caller has the call's own error", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({
      openFor: "15 seconds",
      isFailure: () => {
        throw new Error("a mistake in isFailure")
      }
    })
    for (let at = 0; at < 3; at++) {
      yield* TestClock.adjust("15 seconds")
      expect(yield* Effect.flip(breaker.execute(Effect.fail("odd")))).toBe("odd")
      expect(yield* breaker.state).toBe("open")
    }
  })
)

it.effect("probes that never end keep their places until it is reset, and not after", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({ openFor: "1 second", successThreshold: 2 })
    const begin = Effect.fork(Effect.exit(breaker.execute(Effect.never)))
    yield* TestClock.adjust("1 second")
    const stuck = [yield* begin, yield* begin]
    yield* settleDown
    yield* TestClock.adjust("1 hour")
    expect(yield* Effect.flip(breaker.execute(Effect.void))).toBeInstanceOf(CircuitOpen)

    yield* breaker.reset
    yield* breaker.trip
    yield* TestClock.adjust("1 second")
    // What the two of before give back now is not theirs any more.
    yield* Fiber.interruptAll(stuck)
    const probes = [yield* begin, yield* begin]
    yield* settleDown
    expect(yield* breaker.state).toBe("half-open")
    expect(yield* Effect.flip(breaker.execute(Effect.void))).toBeInstanceOf(CircuitOpen)
    yield* Fiber.interruptAll(probes)
    yield* breaker.execute(Effect.void)
    yield* breaker.execute(Effect.void)
    expect(yield* breaker.state).toBe("closed")
  })
)

it.effect("it can be tripped and reset, whatever it is", () =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make({ openFor: Infinity })
    yield* breaker.trip
    yield* TestClock.adjust("365 days")
    const { retryAfter } = yield* Effect.flip(breaker.execute(Effect.void))
    expect(retryAfter).toEqual(Duration.infinity)
    yield* breaker.reset
    expect(yield* breaker.execute(Effect.succeed(42))).toBe(42)
    expect(yield* breaker.state).toBe("closed")
  })
)

it.effect("time is that of where it was made, whatever clock its callers have", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen()
    yield* TestClock.adjust("14999 millis")
    const live = Effect.withClock(breaker.execute(Effect.void), Clock.make())
    expect(yield* Effect.flip(live)).toBeInstanceOf(CircuitOpen)
  })
)

it.effect("a caller without a fiber is let through while it is closed, and only then", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({ failureThreshold: 2, successThreshold: 1 })
    expect(breaker.unsafeEnter()).toBeUndefined()
    yield* TestClock.adjust("15 seconds")
    expect([breaker.unsafeRetryAfter(), breaker.unsafeEnter()]).toEqual([0, undefined])
    yield* breaker.execute(Effect.void)
    expect(DateTime.toEpochMillis(breaker.unsafeSince())).toBe(15_000)
    const ticket = breaker.unsafeEnter() ?? NaN
    breaker.unsafeReport(ticket, true)
    expect(breaker.unsafeState()).toBe("closed")
    breaker.unsafeReport(ticket, true)
    expect([breaker.unsafeState(), breaker.unsafeRetryAfter()]).toEqual(["open", 15_000])
  })
)
