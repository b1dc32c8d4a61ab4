/** Probes whose fibers yield, or are interrupted, between any two of their steps. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"
import * as Scheduler from "effect/Scheduler"
import * as TestClock from "effect/TestClock"
import { PCGRandom } from "effect/Utils"
import { type Breaker } from "../../src/core/breaker.js"
import { yieldingAt } from "../protocol/yieldingAt.js"
import { failing, makeOpen, settleDown } from "./world.js"

it.effect.each([
  ["succeed", Effect.succeed("well")],
  ["fail", failing],
  ["die", Effect.die("a bug")],
  ["never end", Effect.never],
  ["be uninterruptible", Effect.uninterruptible(Effect.zipLeft(Effect.void, Effect.yieldNow()))]
] as ReadonlyArray<readonly [string, Effect.Effect<unknown, string>]>)(
  "a probe that would %s can be interrupted at any step, and leaves the way free",
  ([, call]) =>
    Effect.gen(function* () {
      const steps = 60
      let forced = 0
      for (let step = 1; step <= steps; step++) {
        const breaker = yield* makeOpen({ successThreshold: 1, openFor: "1 second" })
        yield* TestClock.adjust("1 second")
        let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
        const scheduler = yieldingAt(step, () => {
          forced++
          fiber?.unsafeInterruptAsFork(FiberId.none)
        })
        fiber = yield* Effect.fork(Effect.withScheduler(breaker.execute(call), scheduler))
        yield* settleDown
        fiber.unsafeInterruptAsFork(FiberId.none)
        yield* settleDown
        expect(fiber.unsafePoll(), `interrupted at step ${step}`).not.toBeNull()
        // It may have failed before; then its time has to pass first.
        yield* TestClock.adjust("1 second")
        yield* breaker.execute(Effect.void)
        expect(breaker.unsafeState(), `interrupted at step ${step}`).toBe("closed")
      }
      expect(forced).toBeGreaterThan(10)
      expect(forced).toBeLessThan(steps)
    })
)

/** Runs tasks in any order, and yields at any step, as a seed has it. */
class AnyOrder implements Scheduler.Scheduler {
  private readonly tasks: Array<() => void> = []
  private readonly random: PCGRandom

  constructor(seed: number) {
    this.random = new PCGRandom(seed)
  }
  /** Seldom: to yield is a dozen steps in itself, and with each it would begin again. */
  shouldYield(): number | false {
    return this.draw(32) === 0 ? 0 : false
  }
  scheduleTask(task: () => void): void {
    this.tasks.push(task)
  }
  drain(): void {
    while (this.tasks.length > 0) this.tasks.splice(this.draw(this.tasks.length), 1)[0]?.()
  }
  draw(below: number): number {
    return this.random.integer(below)
  }
}

/** Callers who come all at once; none succeeds, so that it is never closed. */
const crowd = (breaker: Breaker, scheduler: AnyOrder) => {
  let inFlight = 0
  let most = 0
  const call = Effect.suspend(() => {
    most = Math.max(most, ++inFlight)
    return Effect.zipRight(Effect.yieldNow(), scheduler.draw(2) === 0 ? failing : Effect.interrupt)
  }).pipe(Effect.ensuring(Effect.sync(() => inFlight--)))
  const fibers = Array.from({ length: 12 }, () =>
    Effect.runFork(Effect.replicateEffect(Effect.exit(breaker.execute(call)), 3), { scheduler })
  )
  for (const fiber of fibers) {
    if (scheduler.draw(3) === 0) {
      scheduler.scheduleTask(() => fiber.unsafeInterruptAsFork(FiberId.none))
    }
  }
  scheduler.drain()
  expect(fibers.every((fiber) => fiber.unsafePoll() !== null)).toBe(true)
  return most
}

it.effect("whatever the order of their steps, no more are in flight than may be", () =>
  Effect.gen(function* () {
    const mosts = new Set<number>()
    const breaker = yield* makeOpen({ openFor: 0, successThreshold: 3 })
    FastCheck.assert(
      FastCheck.property(FastCheck.integer(), (seed) => {
        const most = crowd(breaker, new AnyOrder(seed))
        mosts.add(most)
        expect(most).toBeLessThanOrEqual(3)
      }),
      { numRuns: 300 }
    )
    // Two may have been the most by chance, but not always.
    expect(mosts).toContain(3)
    yield* Effect.repeatN(breaker.execute(Effect.void), 2)
    expect(breaker.unsafeState()).toBe("closed")
  })
)

// It has a permit │ another is half-open, fails, and opens it │ its own turn comes
it.effect("a probe is not begun when another has failed between its permit and its turn", () =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const befores: Array<string> = []
    for (let step = 1; step <= 40; step++) {
      const breaker = yield* makeOpen({ openFor: "1 second" })
      yield* TestClock.adjust("1 second")
      let [before, hasBegun] = ["never", false]
      const scheduler = yieldingAt(step, () => {
        before = breaker.unsafeState()
        Runtime.runSyncExit(runtime)(breaker.execute(failing))
      })
      const call = Effect.sync(() => (hasBegun = true))
      yield* Effect.fork(Effect.withScheduler(Effect.exit(breaker.execute(call)), scheduler))
      yield* settleDown
      if (before === "open") expect(hasBegun, `failed at step ${step}`).toBe(false)
      befores.push(before)
    }
    expect(befores).toEqual(expect.arrayContaining(["open", "half-open", "never"]))
  })
)
