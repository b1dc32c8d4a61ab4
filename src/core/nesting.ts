/**
 * Creators that ask the cache again: who waits for whom.
 *
 * A creator that waited for its own flight would wait for ever. So an edge runs
 * from a flight to each flight that its creator waits for, as long as it does,
 * and joining into a cycle is refused: the inner creator then runs directly.
 */
import * as FiberRef from "effect/FiberRef"
import * as GlobalValue from "effect/GlobalValue"
import type { Rebuild } from "./rebuild.js"

/** The flight whose creator this fiber runs in; of no account once that has ended. */
export const currentFlight: FiberRef.FiberRef<Rebuild | undefined> = GlobalValue.globalValue(
  "effect-larder/currentFlight",
  () => FiberRef.unsafeMake<Rebuild | undefined>(undefined)
)

/** Would `from` wait for itself if it waited for `target`? */
export const closesCycle = (from: Rebuild, target: Rebuild): boolean => {
  const seen = new Set<Rebuild>()
  const reaches = (flight: Rebuild): boolean => {
    if (flight === from) return true
    if (seen.has(flight)) return false
    seen.add(flight)
    return flight.waitsFor.some(reaches)
  }
  return reaches(target)
}

/**
 * Is `key` of the same cache being created further out? Its flight may have
 * been detached by a write, so that `closesCycle` cannot meet it; to open
 * another would go on for ever.
 */
export const isCreatedWithin = (
  flight: Rebuild | undefined,
  owner: object,
  key: string
): boolean => {
  for (let outer = flight; outer !== undefined; outer = outer.within) {
    if (outer.ended === undefined && outer.owner === owner && outer.key === key) return true
  }
  return false
}

/** `from` waits for `target` from now on; a caller outside any creator is nobody's concern. */
export const addEdge = (from: Rebuild | undefined, target: Rebuild): void => {
  from?.waitsFor.push(target)
}

export const removeEdge = (from: Rebuild | undefined, target: Rebuild): void => {
  const index = from?.waitsFor.indexOf(target) ?? -1
  if (index >= 0) from?.waitsFor.splice(index, 1)
}
