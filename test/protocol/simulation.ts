/**
 * A world without chance: one queue of tasks, a clock that stands still, and
 * everything that fibers do run to the end within `drain`. Thousands of
 * interleavings a second, each of them repeatable.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import type * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

export class Simulation {
  private queue: Array<() => void> = []
  private sleepers: ReadonlyArray<Sleeper> = []
  private time = 1_000_000
  readonly scope = Effect.runSync(Scope.make())

  readonly scheduler: Scheduler.Scheduler = {
    shouldYield: () => false,
    scheduleTask: (task) => {
      this.queue.push(task)
    }
  }

  readonly clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => this.time,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(this.time * 1e6)),
    currentTimeMillis: Effect.sync(() => this.time),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(this.time * 1e6))),
    sleep: (duration) =>
      Effect.async((resume) => {
        const sleeper = {
          at: this.time + Duration.toMillis(duration),
          wake: () => resume(Effect.void)
        }
        this.sleepers = [...this.sleepers, sleeper]
        return Effect.sync(() => {
          this.sleepers = this.sleepers.filter((other) => other !== sleeper)
        })
      })
  }

  constructor(readonly seed: number) {}

  /** For what is not a fiber: gathered reads are sent in the next task. */
  readonly defer = (task: () => void): void => {
    this.queue.push(task)
  }

  private resting: Array<() => void> = []

  /** Runs a task once all others have come to rest. */
  afterRest(task: () => void): void {
    this.resting.push(task)
  }

  /** Starts something; `drain` makes it go on. */
  fork<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Fiber.RuntimeFiber<A, E> {
    return Effect.runFork(
      effect.pipe(
        Effect.provideService(Scope.Scope, this.scope),
        Effect.withRandom(Random.make(this.seed)),
        Effect.withClock(this.clock),
        Logger.withMinimumLogLevel(LogLevel.None)
      ),
      { scheduler: this.scheduler, immediate: false }
    )
  }

  /** Runs all that can run while the clock stands still. */
  drain(): void {
    for (let steps = 0; steps < 1_000_000; steps++) {
      if (this.queue.length === 0) {
        const rested = this.resting.shift()
        if (rested === undefined) return
        rested()
      }
      const tasks = this.queue
      this.queue = []
      for (const task of tasks) task()
    }
    throw new Error("this never comes to rest")
  }

  /** Starts something that needs neither the clock nor anybody's help, and gives its value. */
  run<A, E>(effect: Effect.Effect<A, E, Scope.Scope>): A {
    const fiber = this.fork(effect)
    this.drain()
    const exit = fiber.unsafePoll()
    if (exit === null) throw new Error("this does not end by itself")
    return Exit.isSuccess(exit) ? exit.value : Effect.runSync(exit)
  }

  /** Moves the clock, waking whoever sleeps at the moment it slept for. */
  advance(millis: number): void {
    const end = this.time + millis
    for (;;) {
      this.drain()
      const due = this.sleepers.filter(({ at }) => at <= end)
      if (due.length === 0) break
      this.time = Math.max(this.time, Math.min(...due.map(({ at }) => at)))
      const woken = this.sleepers.filter(({ at }) => at <= this.time)
      this.sleepers = this.sleepers.filter(({ at }) => at > this.time)
      for (const { wake } of woken) wake()
    }
    this.time = end
  }

  close(): void {
    this.fork(Scope.close(this.scope, Exit.void))
    this.drain()
  }
}
