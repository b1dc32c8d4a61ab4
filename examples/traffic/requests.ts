// The requests of the minute, the same for the same seed: Zipf's law says for what, Poisson's when.
import { Utils } from "effect"

export interface Arrival {
  /** In seconds. */
  readonly at: number
  readonly product: number
}

/** A rank from 1 to `count` for a number in [0, 1). */
export const zipf = (count: number, skew: number): ((random: number) => number) => {
  const upTo: Array<number> = []
  for (let rank = 1; rank <= count; rank++) upTo.push((upTo.at(-1) ?? 0) + rank ** -skew)
  const all = upTo.at(-1) ?? 0
  return (random) => 1 + upTo.findIndex((weight) => random * all < weight)
}

export interface Demand {
  readonly seconds: number
  readonly requestsPerSecond: number
  readonly products: number
  readonly skew: number
  readonly seed: number
}

export const arrivals = (demand: Demand): ReadonlyArray<Arrival> => {
  const random = new Utils.PCGRandom(demand.seed)
  const rankOf = zipf(demand.products, demand.skew)
  const all: Array<Arrival> = []
  // ln(1 - random): random may be 0, and never is 1.
  const pause = () => -Math.log(1 - random.number()) / demand.requestsPerSecond
  for (let at = pause(); at < demand.seconds; at += pause()) {
    all.push({ at, product: rankOf(random.number()) })
  }
  return all
}
