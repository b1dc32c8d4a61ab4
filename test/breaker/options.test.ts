/** What a circuit breaker is told when it is made. */
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import { CircuitBreaker } from "effect-larder"
import { failing, makeOpen, World } from "./world.js"

const wrong: ReadonlyArray<readonly [CircuitBreaker.Options, string]> = [
  [{ failureThreshold: 0 }, "failureThreshold is 0; allowed: a whole number from 1 up"],
  [{ successThreshold: 1.5 }, "successThreshold is 1.5; allowed: a whole number from 1 up"],
  [{ failureThreshold: NaN }, "failureThreshold is NaN; allowed: a whole number from 1 up"],
  [{ openFor: -1 }, "openFor is -1; allowed: a duration from zero up"],
  [
    { openFor: Schedule.stop },
    "the first delay of openFor is undefined; allowed: a schedule with one"
  ]
]

it.effect.each(wrong)(
  "a wrong option is a defect that says what is allowed: %o",
  ([options, text]) =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(CircuitBreaker.make(options))
      expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toContain(text)
    })
)

it.effect("an option that is undefined is unset", () =>
  Effect.gen(function* () {
    const breaker = yield* CircuitBreaker.make({
      name: undefined,
      failureThreshold: undefined,
      openFor: undefined,
      successThreshold: undefined,
      isFailure: undefined
    })
    expect(breaker.name).toBe("default")
    yield* Effect.repeatN(Effect.either(breaker.execute(failing)), 4)
    const { retryAfter } = yield* Effect.flip(breaker.execute(Effect.void))
    expect(retryAfter).toEqual(Duration.seconds(15))
  })
)

const failRecovery = (breaker: CircuitBreaker.CircuitBreaker) =>
  Effect.gen(function* () {
    const { retryAfter } = yield* Effect.flip(breaker.execute(Effect.void))
    yield* TestClock.adjust(retryAfter)
    yield* Effect.flip(breaker.execute(failing))
    return Duration.toMillis(retryAfter)
  })

it.effect("a schedule's delays are how long it stays open, and begin anew once it was closed", () =>
  Effect.gen(function* () {
    const breaker = yield* makeOpen({ openFor: Schedule.exponential("1 second") })
    const recoveries = Effect.replicateEffect(failRecovery(breaker), 4)
    expect(yield* recoveries).toEqual([1_000, 2_000, 4_000, 8_000])
    yield* breaker.reset
    yield* breaker.trip
    expect(yield* recoveries).toEqual([1_000, 2_000, 4_000, 8_000])
  })
)

it.effect("a schedule that has ended goes on with its last delay", () =>
  Effect.gen(function* () {
    const openFor = Schedule.fromDelays("1 second", "5 seconds")
    const breaker = yield* makeOpen({ openFor })
    const recoveries = Effect.replicateEffect(failRecovery(breaker), 4)
    expect(yield* recoveries).toEqual([1_000, 5_000, 5_000, 5_000])
  })
)

it.each([3_000, -3_000])(
  "to set the wall clock by %d ms changes nothing of a schedule that reckons with the time",
  (step) => {
    const openFor = Schedule.fixed("10 seconds")
    const world = new World({ failureThreshold: 1, successThreshold: 1, openFor })
    const fail = () => Either.getOrThrow(world.call()).answer(Exit.fail("refused"))
    fail()
    for (let recovery = 0; recovery < 3; recovery++) {
      expect(world.breaker.unsafeRetryAfter()).toBe(10_000)
      world.now += 10_000
      world.wall += step
      fail()
    }
  }
)

it.effect("a schedule that does not decide at once goes on with its last delay", () =>
  Effect.gen(function* () {
    let isSlow = false
    const openFor = Schedule.addDelayEffect(Schedule.forever, () =>
      isSlow ? Effect.as(Effect.sleep("1 second"), "1 hour") : Effect.succeed("3 seconds")
    )
    const breaker = yield* makeOpen({ openFor })
    isSlow = true
    expect(yield* Effect.replicateEffect(failRecovery(breaker), 3)).toEqual([3_000, 3_000, 3_000])
  })
)
