// What is seen of the traffic so far, and what can be read off it. Times are seconds of the
// traffic's.

export interface Query {
  readonly cache: "naive" | "ours"
  readonly product: number
  readonly at: number
}

export interface Mark {
  readonly event: "expiry" | "invalidation" | "kill" | "takeover"
  readonly at: number
  /** Whose entry it takes away. */
  readonly product?: number
}

export interface Samples {
  readonly now: number
  readonly requests: number
  readonly queries: ReadonlyArray<Query>
  readonly marks: ReadonlyArray<Mark>
  readonly isOver: boolean
}

export const count = ({ queries }: Samples, cache: Query["cache"]): number =>
  queries.filter((query) => query.cache === cache).length

/**
 * When entries of the naive cache were found expired: a product is queried that has not been for a
 * while. That of a cold start is none, nor is that of an invalidation.
 */
export const expiries = (
  queries: ReadonlyArray<Query>,
  products: ReadonlyArray<number>,
  marks: ReadonlyArray<Mark>,
  pause: number
): ReadonlyArray<Mark> => {
  const isTakenAway = (product: number, at: number) =>
    marks.some((mark) => mark.product === product && at >= mark.at && at - mark.at < pause)
  const starts = products
    .flatMap((product) =>
      queries
        .filter((query) => query.cache === "naive" && query.product === product)
        .map(({ at }) => at)
        .toSorted((a, b) => a - b)
        .filter((at, index, all) => index > 0 && at - (all[index - 1] ?? 0) > pause)
        .filter((at) => !isTakenAway(product, at))
    )
    .toSorted((a, b) => a - b)
  return starts
    .filter((at, index) => index === 0 || at - (starts[index - 1] ?? 0) > pause)
    .map((at) => ({ event: "expiry", at }))
}

/** Of the queries that the naive cache made, those that ours did not; rounded down. */
export const savedPercent = (samples: Samples): number => {
  const naive = count(samples, "naive")
  if (naive === 0) return 0
  return Math.max(0, Math.floor(1000 * (1 - count(samples, "ours") / naive)) / 10)
}
