/**
 * What has expired, and whom it may be given: at once while it is rebuilt behind, or in
 * place of a rebuild that fails or takes too long.
 */
import { servableStaleUntil } from "../policy/freshness.js"
import type { Entry } from "./l1.js"
import { millis } from "./option.js"
import type { Path } from "./path.js"
import type { LookupOptions, Request } from "./request.js"

type Windows = Pick<LookupOptions<never>, "staleWhileRevalidate" | "staleIfError">

export const whileRevalidating = (path: Path, { staleWhileRevalidate }: Windows): number =>
  millis("staleWhileRevalidate", staleWhileRevalidate, path.defaults.staleWhileRevalidate)

export const ifError = (path: Path, { staleIfError }: Windows): number =>
  millis("staleIfError", staleIfError, path.defaults.staleIfError)

/** Is there anything stale that this caller would take? */
export const takesStale = (path: Path, { options }: Request): boolean =>
  whileRevalidating(path, options) > 0 || ifError(path, options) > 0

/** May it be served at once? Of an entry that is not fresh. */
export const isServedBehind = (
  path: Path,
  { options }: Request,
  { expiresAt, staleUntil }: Entry,
  now: number
): boolean =>
  options.background !== false &&
  now < servableStaleUntil(expiresAt, staleUntil, whileRevalidating(path, options))

/** May it stand in for a rebuild? */
export const standsIn = (
  path: Path,
  { options }: Request,
  { errorUntil, expiresAt }: Entry,
  now: number
): boolean => now < servableStaleUntil(expiresAt, errorUntil, ifError(path, options))
