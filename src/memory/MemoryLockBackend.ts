/** Locks in this process. */
import * as Effect from "effect/Effect"
import * as Lock from "../policy/lock.js"
import type { LockBackend } from "../port/LockBackend.js"
import { nowOf } from "../port/monotonic.js"

export const make: Effect.Effect<LockBackend> = Effect.map(Effect.clock, (clock) => {
  const cells = new Map<string, Lock.LockCell>()
  const handlers = new Set<(name: string, token: string) => void>()
  // One fence for all names: nothing need be kept of a lock that nobody holds.
  let last = 0

  const step = <A>(
    name: string,
    transition: (cell: Lock.LockCell, now: number) => Lock.LockStep<A>
  ): Effect.Effect<A> =>
    Effect.sync(() => {
      const before = { ...cells.get(name), fence: { last, until: Infinity } }
      const { cell, reply, turn } = transition(before, nowOf(clock))
      last = cell.fence?.last ?? last
      if (cell.lease === undefined && cell.queue === undefined) cells.delete(name)
      else cells.set(name, cell)
      if (turn !== undefined) handlers.forEach((handle) => handle(name, turn))
      return reply
    })

  return {
    name: "memory",
    acquire: (name, request) => step(name, (cell, now) => Lock.acquire(cell, now, request)),
    renew: (name, token, duration) =>
      step(name, (cell, now) => Lock.renew(cell, now, token, duration)),
    release: (name, token) => step(name, (cell, now) => Lock.release(cell, now, token)),
    subscribe: (handler) =>
      Effect.acquireRelease(
        Effect.sync(() => handlers.add(handler)),
        () => Effect.sync(() => handlers.delete(handler))
      )
  }
})
