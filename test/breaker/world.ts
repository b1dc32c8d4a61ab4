/** Circuit breakers with a clock and a scheduler that a test works by hand, without waiting. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Scheduler from "effect/Scheduler"
import type { CircuitBreaker } from "effect-larder"
import { CircuitOpen } from "effect-larder"
import { type Breaker, make } from "../../src/core/breaker.js"

export const failing = Effect.fail("refused")

/** Lets all fibers go as far as they can. */
export const settleDown = Effect.yieldNow().pipe(Effect.repeatN(50))

/** One that has failed as often as opens it. */
export const makeOpen = (options: CircuitBreaker.Options = {}) =>
  Effect.tap(make({ failureThreshold: 1, ...options }), (breaker) =>
    Effect.repeatN(Effect.either(breaker.execute(failing)), (options.failureThreshold ?? 1) - 1)
  )

/** A call that is under way. */
export interface Call {
  readonly answer: (exit: Exit.Exit<string, string>) => void
  readonly interrupt: () => void
}

/** A breaker without time of its own: each step is over when its function returns. */
export class World {
  now = 0
  /** How far the wall clock has been set forth, or back. */
  wall = 0
  /** Calls that have begun and not ended. */
  inFlight = 0
  readonly breaker: Breaker
  private readonly scheduler = new Scheduler.ControlledScheduler()

  constructor(options: CircuitBreaker.Options) {
    const clock: Clock.Clock = {
      ...Clock.make(),
      unsafeCurrentTimeMillis: () => this.now + this.wall,
      unsafeCurrentTimeNanos: () => BigInt(Math.round(this.now * 1e6)),
      currentTimeMillis: Effect.sync(() => this.now + this.wall)
    }
    this.breaker = Effect.runSync(
      make(options).pipe(Logger.withMinimumLogLevel(LogLevel.None), Effect.withClock(clock))
    )
  }

  /** Either it is under way now, or it was not let through. */
  call(): Either.Either<Call, CircuitOpen> {
    let answer: Call["answer"] | undefined
    const effect = Effect.async<string, string>((resume) => {
      this.inFlight++
      answer = resume
    }).pipe(Effect.ensuring(Effect.sync(() => this.inFlight--)))
    const fiber = this.fork(this.breaker.execute(effect))
    if (answer === undefined) return Either.left(rejectionOf(fiber))
    const answerIt = answer
    return Either.right({
      answer: (exit) => {
        answerIt(exit)
        this.drain()
      },
      interrupt: () => {
        fiber.unsafeInterruptAsFork(FiberId.none)
        this.drain()
      }
    })
  }

  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    const { scheduler } = this
    const fiber = Effect.runFork(effect, { scheduler, immediate: true })
    this.drain()
    return fiber
  }

  private drain(): void {
    while (this.scheduler.tasks.buckets.length > 0) this.scheduler.step()
  }
}

const rejectionOf = (fiber: Fiber.RuntimeFiber<unknown, unknown>): CircuitOpen => {
  const exit = fiber.unsafePoll()
  if (exit?._tag === "Failure" && exit.cause._tag === "Fail") {
    if (exit.cause.error instanceof CircuitOpen) return exit.cause.error
  }
  throw new Error("It has neither begun nor been rejected")
}
