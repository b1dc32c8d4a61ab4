import * as Effect from "effect/Effect"

export type Shelf<A extends object> = ReturnType<typeof makeShelf<A>>

/** Things that wait for the test: each is given once, in order of arrival. */
export const makeShelf = <A extends object>() => {
  let things: ReadonlyArray<A> = []
  const given = new WeakSet<A>()
  const waiters = new Set<() => void>()
  const find = (matches: (thing: A) => boolean) =>
    things.find((thing) => !given.has(thing) && matches(thing))
  const arrival = (matches: (thing: A) => boolean) =>
    Effect.async<void>((resume) => {
      if (find(matches) !== undefined) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      waiters.add(wake)
      return Effect.sync(() => waiters.delete(wake))
    })
  const next = (matches: (thing: A) => boolean): Effect.Effect<A> =>
    Effect.flatMap(arrival(matches), () => {
      const found = find(matches)
      if (found === undefined) return next(matches)
      given.add(found)
      return Effect.succeed(found)
    })
  return {
    next,
    put: (thing: A): void => {
      things = [...things, thing]
      for (const wake of waiters) wake()
      waiters.clear()
    },
    /** Says whether it was there. */
    remove: (thing: A): boolean => {
      const before = things.length
      things = things.filter((other) => other !== thing)
      return things.length < before
    },
    /** Gives what was there. */
    clear: (): ReadonlyArray<A> => {
      const before = things
      things = []
      return before
    }
  }
}
