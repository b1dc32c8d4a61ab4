/**
 * What is counted: plain numbers on the hot path, published as metrics behind.
 *
 * Each lookup is exactly one of hit, miss, stale, bypassed.
 */
import * as Metric from "effect/Metric"

const names = [
  "hits",
  "misses",
  "stale",
  "bypassed",
  "coalesced",
  "loads",
  "loadFailures",
  "earlyRefreshes",
  "waits",
  "takeovers",
  "fencedWrites",
  "backendErrors",
  "decodeErrors",
  "encodeErrors",
  "evictions"
] as const

/** How a lookup ended, as far as counting is concerned. */
export type Outcome = "hits" | "misses" | "stale" | "bypassed"

/** Mutable on purpose: an increment is all that a hit can afford. */
export type Tally = { [name in (typeof names)[number]]: number }

/**
 * A snapshot of the counts of a cache, or of one of its regions, since its layer was
 * built. Each lookup is exactly one of `hits`, `misses`, `stale`, `bypassed`. They are
 * of this process alone.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheCounters extends Readonly<Tally> {
  /** Hits a lookup; 0 when there were none. */
  readonly hitRate: number
}

export const emptyTally = (): Tally => Object.fromEntries(names.map((name) => [name, 0])) as Tally

/** The sum of some tallies, with its hit rate. */
export const snapshot = (tallies: Iterable<Readonly<Tally>>): CacheCounters => {
  const sum = emptyTally()
  for (const tally of tallies) for (const name of names) sum[name] += tally[name]
  const lookups = sum.hits + sum.misses + sum.stale + sum.bypassed
  return { ...sum, hitRate: lookups === 0 ? 0 : sum.hits / lookups }
}

/** Under which a cache's metrics are found, besides its backend. Never a key. */
export interface Labels {
  readonly cache: string
  readonly region?: string
}

const tagged = <M, I, O>(
  metric: Metric.Metric<M, I, O>,
  labels: Labels,
  backend: string
): Metric.Metric<M, I, O> =>
  Object.entries({ ...labels, backend }).reduce(
    (it, [name, value]) => Metric.tagged(it, name, value),
    metric
  )

const sizeMetric = Metric.gauge("larder.cache.size")

/** How many entries L1 holds. */
export const publishSize = (size: number, labels: Labels, backend: string): void =>
  tagged(sizeMetric, labels, backend).unsafeUpdate(size, [])

/**
 * Gives a function that adds what has been counted since its last call to
 * Effect's metrics `larder.cache.…`.
 */
export const publisher = (tally: Tally, labels: Labels): ((backend: string) => void) => {
  const published = emptyTally()
  const metricsOf = (backend: string) =>
    names.map((name) => {
      const metric = Metric.counter(`larder.cache.${name}`, { incremental: true })
      return [name, tagged(metric, labels, backend)] as const
    })
  let last = { backend: "", metrics: [] as ReturnType<typeof metricsOf> }
  return (backend) => {
    // One that is built late has its name by then.
    if (backend !== last.backend) last = { backend, metrics: metricsOf(backend) }
    for (const [name, metric] of last.metrics) {
      const added = tally[name] - published[name]
      if (added === 0) continue
      published[name] = tally[name]
      metric.unsafeUpdate(added, [])
    }
  }
}
