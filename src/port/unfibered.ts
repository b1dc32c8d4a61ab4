/**
 * Effects that can do without a fiber.
 *
 * A command of a driver is a callback. To fork a fiber for it, and to wake that
 * one before the one who asked, costs more than the command itself.
 */
import * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Runtime from "effect/Runtime"

/**
 * Asks, and hands over what came of it, once. It minds nothing of the fiber that
 * runs it, and does not stop when that is interrupted.
 */
export type Start<A, E> = (settle: (exit: Exit.Exit<A, E>) => void) => void

/** To whoever does not know it, an effect like any other. */
export class Unfibered<A, E> extends Effectable.Class<A, E> {
  constructor(readonly start: Start<A, E>) {
    super()
  }
  override commit(): Effect.Effect<A, E> {
    return Effect.async((resume) => this.start(resume))
  }
}

/**
 * Runs an effect, in a fiber only if it needs one. Gives what stops it, if it can
 * be stopped.
 */
export const run = <A, E>(
  effect: Effect.Effect<A, E>,
  surroundings: () => Runtime.Runtime<never>,
  settle: (exit: Exit.Exit<A, E>) => void
): (() => void) | undefined => {
  if (effect instanceof Unfibered) {
    start(effect, settle)
    return undefined
  }
  const fiber = Runtime.runFork(surroundings())(effect, { immediate: true })
  fiber.addObserver(settle)
  return () => fiber.unsafeInterruptAsFork(FiberId.none)
}

const start = <A, E>(effect: Unfibered<A, E>, settle: (exit: Exit.Exit<A, E>) => void): void => {
  try {
    effect.start(settle)
  } catch (defect) {
    settle(Exit.die(defect))
  }
}
