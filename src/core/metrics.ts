/** Publishes the counts, and the size of L1, as metrics: once a second, at no cost to a hit. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { publisher, publishSize } from "./counters.js"
import type { Path } from "./path.js"

const interval = 1_000

/**
 * A timer of the platform, not a fiber that sleeps: under `TestClock` that
 * would warn of a clock nobody advances, and live it would keep a process that
 * has nothing else to do from ending.
 */
export const publishMetrics = (path: Path): Effect.Effect<void, never, Scope.Scope> => {
  const { l1, l2, name: cache } = path
  const publishers = new Map<string, (backend: string) => void>()
  const publish = () => {
    const backend = l2?.backend.name ?? "memory"
    if (l1 !== undefined) publishSize(l1.entries.size, { cache }, backend)
    for (const [start, tally] of path.tallies) {
      let added = publishers.get(start)
      if (added === undefined) {
        const region = start === "" ? {} : { region: start.slice(0, -1) }
        added = publisher(tally, { cache, ...region })
        publishers.set(start, added)
      }
      added(backend)
    }
  }
  return Effect.acquireRelease(
    Effect.sync(() => {
      const timer = globalThis.setInterval(publish, interval)
      /* v8 ignore next -- a number, with nothing to let go of, where this is not Node. @preserve */
      if (typeof timer === "object") timer.unref()
      return timer
    }),
    (timer) =>
      Effect.sync(() => {
        globalThis.clearInterval(timer)
        publish()
      })
  ).pipe(Effect.asVoid)
}
