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
 * runs it, and does not stop when that is interrupted: so it sends one command, and
 * none after it that one who has left would not have sent.
 */
export type Start<A, E> = (settle: (exit: Exit.Exit<A, E>) => void) => void

/** The same, with something else made of what came. What that throws is a defect. */
export const mapExit =
  <A, E, B, F>(start: Start<A, E>, make: (exit: Exit.Exit<A, E>) => Exit.Exit<B, F>): Start<B, F> =>
  (settle) => {
    start((exit) => {
      let made: Exit.Exit<B, F>
      try {
        made = make(exit)
      } catch (defect) {
        made = Exit.die(defect)
      }
      settle(made)
    })
  }

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
 * be stopped. It settles once, whatever the effect does.
 */
export const run = <A, E>(
  effect: Effect.Effect<A, E>,
  surroundings: () => Runtime.Runtime<never>,
  settle: (exit: Exit.Exit<A, E>) => void
): (() => void) | undefined => {
  if (effect instanceof Unfibered) {
    startOnce(effect, settle)
    return undefined
  }
  const fiber = Runtime.runFork(surroundings())(effect, { immediate: true })
  fiber.addObserver(settle)
  return () => fiber.unsafeInterruptAsFork(FiberId.none)
}

const startOnce = <A, E>(
  effect: Unfibered<A, E>,
  settle: (exit: Exit.Exit<A, E>) => void
): void => {
  let isSettled = false
  const once = (exit: Exit.Exit<A, E>): void => {
    if (isSettled) return
    isSettled = true
    settle(exit)
  }
  try {
    effect.start(once)
  } catch (defect) {
    once(Exit.die(defect))
  }
}
