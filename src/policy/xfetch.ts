/**
 * Early refresh: XFetch (Vattani, Chierichetti & Lowenstein, "Optimal
 * Probabilistic Cache Stampede Prevention", VLDB 2015).
 *
 * @since 0.1.0
 */

/**
 * How long the creator counts as having taken, in milliseconds: at most a fifth
 * of the ttl. At delta = ttl an entry just made would fire with 37 %.
 *
 * @since 0.1.0
 */
export const capDelta = (delta: number, ttl: number): number => Math.min(delta, ttl / 5)

/**
 * Can an entry be due for early refresh at all? Cheap, and settles nearly every
 * read: only where it says yes need a random number be drawn.
 *
 * No where `beta` or `delta` is 0, where the entry does not expire, where it is
 * younger than `delta`, and where expiry is further off than 37 · beta · delta:
 * 1 − random is at least 2^-53, and −ln of that is 36.7.
 *
 * @param now, createdAt, expiresAt milliseconds of one clock
 * @param delta as `capDelta` gives it
 * @since 0.1.0
 */
export const isEarlyRefreshPossible = (
  now: number,
  createdAt: number,
  expiresAt: number,
  delta: number,
  beta: number
): boolean => {
  const scale = delta * beta
  const remaining = expiresAt - now
  return scale > 0 && remaining <= 37 * scale && remaining < Infinity && now - createdAt >= delta
}

/**
 * Should this reader refresh an entry that is still fresh?
 *
 * The nearer the expiry and the dearer the creator, the likelier yes; readers
 * decide alone. It is yes with probability e^(−remaining / (beta · delta)).
 * Asked only where `isEarlyRefreshPossible`.
 *
 * @param remaining milliseconds until expiry
 * @param delta as `capDelta` gives it
 * @param beta above 1 refreshes earlier, below 1 later
 * @param random uniform in [0, 1). We take ln(1 − random): ln(0) would be
 *   −Infinity, and that reader would refresh however far off the expiry
 * @since 0.1.0
 */
export const isEarlyRefreshDue = (
  remaining: number,
  delta: number,
  beta: number,
  random: number
): boolean => -Math.log(1 - random) * delta * beta >= remaining
