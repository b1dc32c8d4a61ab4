/** Is it worth while to read before a lease is asked for? */

/** How much of the past counts: about so many reads. */
const memory = 16
/** With fewer hits than this a read saves less than it costs. */
const least = 0.25

/**
 * How often L2 has had what was looked for, lately. A read goes first because it
 * is cheaper than the step that asks for the lease, and travels with others. But
 * that step reads too: where misses are the rule, at a cold start, asking it at
 * once saves each of them a round trip.
 */
export class Odds {
  private found = 1

  saw(isFound: boolean): void {
    this.found += ((isFound ? 1 : 0) - this.found) / memory
  }

  get areBad(): boolean {
    return this.found < least
  }
}
