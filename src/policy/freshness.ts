/**
 * When an entry is fresh, stale or expired.
 *
 *     createdAt          expiresAt             staleUntil      errorUntil
 *         ├──── fresh ───────┤├─ while revalidating ─┤               │
 *                            ├────────────── if an error ────────────┤├── expired ──
 *
 * Either window may be the longer one (RFC 5861). A boundary belongs to what
 * follows it. All times are milliseconds of one clock, and may be `Infinity`.
 *
 * @since 0.1.0
 */

/**
 * When an entry's fresh and stale windows end. Both stale windows begin where the
 * fresh one ends.
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
} => {
  const expiresAt = life.createdAt + life.ttl
  return {
    expiresAt,
    staleUntil: expiresAt + life.staleWhileRevalidate,
    errorUntil: expiresAt + life.staleIfError
  }
}

/**
 * Until when an entry has to be kept: to the end of its longer stale window.
 *
 * @since 0.1.0
 */
export const keepUntil = (life: {
  readonly staleUntil: number
  readonly errorUntil: number
}): number => Math.max(life.staleUntil, life.errorUntil)

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
