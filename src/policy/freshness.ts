/**
 * When an entry is fresh, stale or expired.
 *
 *     createdAt          expiresAt             staleUntil
 *         ├──── fresh ───────┤├────── stale ───────┤├── expired ──
 *
 * A boundary belongs to what follows it. All times are milliseconds of one
 * clock, and may be `Infinity`.
 *
 * @since 0.1.0
 */

/**
 * What an entry may be used for: `fresh` as it is, `stale` while it is being
 * rebuilt, `expired` not at all.
 *
 * @since 0.1.0
 */
export type Freshness = "fresh" | "stale" | "expired"

/**
 * What an entry is at `now`. `staleUntil` is the end of the stale window in
 * question, of stale-while-revalidate or of stale-if-error.
 *
 * @internal `staleIfError`, which is to come, decides by it
 */
export const freshness = (now: number, expiresAt: number, staleUntil: number): Freshness =>
  now < expiresAt ? "fresh" : now < staleUntil ? "stale" : "expired"

/**
 * When an entry's fresh and stale windows end, and until when a backend has to
 * keep it. Both stale windows begin where the fresh one ends.
 *
 * @since 0.1.0
 */
export const windows = (life: {
  readonly createdAt: number
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
}): {
  readonly expiresAt: number
  readonly staleUntil: number
  readonly errorUntil: number
  readonly keepUntil: number
} => {
  const expiresAt = life.createdAt + life.ttl
  const staleUntil = expiresAt + life.staleWhileRevalidate
  const errorUntil = expiresAt + life.staleIfError
  return { expiresAt, staleUntil, errorUntil, keepUntil: Math.max(staleUntil, errorUntil) }
}

/**
 * The end of a stale window as one reader sees it, who would take a value
 * `readerWindow` milliseconds past its expiry. A reader can only shorten what
 * the writer allowed.
 *
 * @since 0.1.0
 */
export const servableStaleUntil = (
  expiresAt: number,
  staleUntil: number,
  readerWindow: number
): number => Math.min(staleUntil, expiresAt + readerWindow)
