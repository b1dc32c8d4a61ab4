/** Fibers of this process that ask for one lock take turns: in the order in which they came. */
import * as Effect from "effect/Effect"

/** What lets a wait within an uninterruptible region be interrupted, if the caller may be. */
export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** One who waits. */
interface Place {
  isCalled: boolean
  wake: () => void
}

export class Turns {
  /** Of each name that someone has the turn of: those who wait for it. */
  private readonly waiting = new Map<string, Array<Place>>()

  /** How many names are asked for; 0 when nothing is under way. */
  get size(): number {
    return this.waiting.size
  }

  /**
   * Waits for the turn, in milliseconds at most; true: it is ours, and `pass` must
   * follow. For an uninterruptible region.
   */
  take(name: string, wait: number, restore: Restore): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const others = this.waiting.get(name)
      if (others === undefined) {
        this.waiting.set(name, [])
        return Effect.succeed(true)
      }
      const place: Place = { isCalled: false, wake: () => {} }
      others.push(place)
      const called = Effect.async<void>((resume) => {
        place.wake = () => resume(Effect.void)
        if (place.isCalled) place.wake()
      })
      const leave = (): void => {
        if (!place.isCalled) others.splice(others.indexOf(place), 1)
      }
      // Where the caller cannot be interrupted, the wait that lost the race must end all the same.
      const either = Effect.raceFirst(
        Effect.interruptible(called),
        Effect.interruptible(Effect.sleep(wait))
      )
      return restore(either).pipe(
        // Called │ interrupted before its fiber ran │ the turn would be nobody's for ever.
        Effect.onInterrupt(() => Effect.sync(() => (place.isCalled ? this.pass(name) : leave()))),
        Effect.map(() => {
          leave()
          return place.isCalled
        })
      )
    })
  }

  pass(name: string): void {
    const next = this.waiting.get(name)?.shift()
    if (next === undefined) {
      this.waiting.delete(name)
      return
    }
    next.isCalled = true
    next.wake()
  }
}
