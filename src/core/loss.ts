/** Whether a lock has been lost, and what ends when it is. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { LockLost } from "../port/LockBackend.js"
import type { Restore } from "./turns.js"

type Listener = (error: LockLost) => void

export class Loss {
  private error: LockLost | undefined
  private readonly listeners: Array<Listener> = []

  /** Fails when it is lost. */
  readonly happens: Effect.Effect<never, LockLost> = Effect.async((resume) => {
    const listener: Listener = (error) => resume(error)
    this.listen(listener)
    return Effect.sync(() => void this.listeners.splice(this.listeners.indexOf(listener), 1))
  })

  happened(error: LockLost): void {
    this.error = error
    for (const listener of this.listeners.splice(0)) listener(error)
  }

  /**
   * Runs an effect that is interrupted when it is lost, and once that has ended fails.
   * For an uninterruptible region. (A race would be a second fiber, for the loss alone,
   * and half of the price of a lock.)
   */
  guard<A, E, R>(
    self: Effect.Effect<A, E, R>,
    restore: Restore
  ): Effect.Effect<A, E | LockLost, R> {
    return Effect.suspend(() => {
      if (this.error !== undefined) return Effect.fail(this.error)
      return Effect.flatMap(Effect.fork(restore(self)), (body) => {
        let isCutShort = false
        // Not lost yet │ lost │ the body is forked: it must be told all the same ("a loss at
        // any step of the one who is granted the lock ends its body").
        this.listen(() => {
          isCutShort = body.unsafePoll() === null
          if (isCutShort) body.unsafeInterruptAsFork(FiberId.none)
        })
        return Effect.flatMap(
          Effect.onInterrupt(restore(Fiber.await(body)), () => Fiber.interrupt(body)),
          (exit) => {
            const result: Effect.Effect<A, E | LockLost> = isCutShort ? this.happens : exit
            return Effect.zipRight(Fiber.inheritAll(body), result)
          }
        )
      })
    })
  }

  /** Calls it when it happens, or at once when it has. */
  private listen(listener: Listener): void {
    if (this.error === undefined) this.listeners.push(listener)
    else listener(this.error)
  }
}
