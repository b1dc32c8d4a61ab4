/** Whether a lock has been lost, and what ends when it is. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { LockLost } from "../port/LockBackend.js"
import type { Restore } from "./turns.js"

export class Loss {
  private error: LockLost | undefined
  private readonly listeners: Array<(error: LockLost) => void> = []

  /** Fails when it is lost. */
  readonly happens: Effect.Effect<never, LockLost> = Effect.async((resume) => {
    if (this.error !== undefined) return resume(this.error)
    const listener = (error: LockLost): void => resume(error)
    this.listeners.push(listener)
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
      return Effect.flatMap(Effect.fork(restore(self)), (child) => {
        let isEnded = false
        this.listeners.push(() => {
          isEnded = child.unsafePoll() === null
          if (isEnded) child.unsafeInterruptAsFork(FiberId.none)
        })
        const joined = Effect.onInterrupt(restore(Fiber.join(child)), () => Fiber.interrupt(child))
        return Effect.flatMap(Effect.exit(joined), (exit): Effect.Effect<A, E | LockLost> =>
          isEnded ? this.happens : exit
        )
      })
    })
  }
}
