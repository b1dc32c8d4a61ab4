/**
 * The lease of a key, as pure transitions: what a backend must do in one step.
 *
 * A backend's scripts are held to these by a model test; the memory backend
 * runs them as they stand. Each takes a cell and the server's time in milliseconds,
 * and gives the cell that is to be kept, with the reply.
 *
 * @example
 * ```ts
 * import { Lease } from "effect-larder"
 *
 * const cells = new Map<string, Lease.Cell>()
 *
 * // Over a server, all of this is one script or one transaction.
 * export const invalidate = (key: string): boolean => {
 *   const { cell, reply } = Lease.invalidate(cells.get(key) ?? {}, Date.now())
 *   if (Lease.isEmpty(cell)) cells.delete(key)
 *   else cells.set(key, cell)
 *   return reply
 * }
 * ```
 *
 * @since 0.1.0
 */
import { type Encoded, expiresAtOf, headerText } from "./envelope.js"

/**
 * All that a backend knows of one key. Times are server milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cell {
  readonly value?: { readonly stored: Encoded; readonly keepUntil: number } | undefined
  readonly lease?: Lease | undefined
  /** The last lease known to have ended without a usable value. */
  readonly ended?: { readonly token: string; readonly until: number } | undefined
}

/**
 * The right to run the creator of one key, until a time of the server's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lease {
  readonly token: string
  readonly until: number
  readonly duration: number
  /** Does someone wait for it? Then its end is pushed. */
  readonly isAwaited: boolean
}

/**
 * What is asked for together with the read.
 *
 * - `read`: a fresh value, or else the lease. `reject` names (by its header) a
 *   fresh value that the asker could not decode, and wants replaced
 * - `refresh`: the lease alone, without waiting, if nobody holds it and the
 *   entry is still the one that was `seen`
 * - `replace`: the lease alone, taken from whoever holds it
 *
 * @since 0.1.0
 * @category models
 */
export type LeaseRequest = {
  readonly token: string
  readonly duration: number
} & (
  | { readonly intent: "read"; readonly reject?: string | undefined }
  | { readonly intent: "refresh"; readonly seen: string }
  | { readonly intent: "replace" }
)

/**
 * What one who asks is told: a fresh value, the lease, whose it is, or that there is
 * nothing to be refreshed. `ended` is the last token known to have ended without a
 * usable value.
 *
 * @since 0.1.0
 * @category models
 */
export type LeaseReply =
  | { readonly _tag: "Value"; readonly stored: Encoded }
  | { readonly _tag: "Granted"; readonly ended?: string | undefined }
  | { readonly _tag: "Held"; readonly token: string; readonly ended?: string | undefined }
  | { readonly _tag: "Declined" }

/**
 * What a step leaves behind, answers, and tells those who wait.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step<A> {
  readonly cell: Cell
  readonly reply: A
  readonly push?: { readonly token: string; readonly reason: "stored" | "ended" | "written" }
}

/**
 * The cell without what has run out.
 *
 * @since 0.1.0
 * @category rules
 */
export const settle = (cell: Cell, now: number): Cell => ({
  value: cell.value !== undefined && now < cell.value.keepUntil ? cell.value : undefined,
  lease: cell.lease !== undefined && now < cell.lease.until ? cell.lease : undefined,
  ended: cell.ended !== undefined && now < cell.ended.until ? cell.ended : undefined
})

/**
 * Is there nothing left to be kept?
 *
 * @since 0.1.0
 * @category rules
 */
export const isEmpty = (cell: Cell): boolean =>
  cell.value === undefined && cell.lease === undefined && cell.ended === undefined

const grant = (cell: Cell, now: number, { duration, token }: LeaseRequest): Step<LeaseReply> => ({
  cell: { ...cell, lease: { token, duration, until: now + duration, isAwaited: false } },
  reply: { _tag: "Granted", ended: cell.ended?.token }
})

/**
 * Reads and asks for the lease in one step.
 *
 * @since 0.1.0
 * @category rules
 */
export const lease = (before: Cell, now: number, request: LeaseRequest): Step<LeaseReply> => {
  const cell = settle(before, now)
  switch (request.intent) {
    case "replace": {
      const { cell: revoked, push } = revoke(cell, now, "ended")
      return { ...grant(revoked, now, request), ...(push && { push }) }
    }
    case "refresh":
      return cell.lease === undefined &&
        cell.value !== undefined &&
        headerText(cell.value.stored) === request.seen
        ? grant(cell, now, request)
        : { cell, reply: { _tag: "Declined" } }
    case "read": {
      // A waits for the lease; B stores and releases; A asks. Without this
      // second read A would run the creator again.
      if (cell.value !== undefined && isUsable(cell.value.stored, now, request.reject)) {
        return { cell, reply: { _tag: "Value", stored: cell.value.stored } }
      }
      if (cell.lease === undefined) return grant(cell, now, request)
      return {
        cell: { ...cell, lease: { ...cell.lease, isAwaited: true } },
        reply: { _tag: "Held", token: cell.lease.token, ended: cell.ended?.token }
      }
    }
  }
}

const isUsable = (stored: Encoded, now: number, reject: string | undefined): boolean => {
  const expiresAt = expiresAtOf(stored)
  return expiresAt !== undefined && now < expiresAt && headerText(stored) !== reject
}

/**
 * Prolongs a lease that is still ours. Never creates one: a token serves one attempt.
 *
 * @since 0.1.0
 * @category rules
 */
export const renew = (
  before: Cell,
  now: number,
  token: string,
  duration: number
): Step<boolean> => {
  const cell = settle(before, now)
  return cell.lease?.token === token
    ? { cell: { ...cell, lease: { ...cell.lease, duration, until: now + duration } }, reply: true }
    : { cell, reply: false }
}

/**
 * Stores if the lease is still ours, and gives it back.
 *
 * @since 0.1.0
 * @category rules
 */
export const commit = (
  before: Cell,
  now: number,
  token: string,
  stored: Encoded,
  keepFor: number
): Step<boolean> => {
  const cell = settle(before, now)
  if (cell.lease?.token !== token) return { cell, reply: false }
  return {
    cell: { ...cell, value: { stored, keepUntil: now + keepFor }, lease: undefined },
    reply: true,
    ...(cell.lease.isAwaited && { push: { token, reason: "stored" } })
  }
}

/**
 * Gives a lease back without a value, if it is still ours: compare-and-delete.
 *
 * @since 0.1.0
 * @category rules
 */
export const release = (before: Cell, now: number, token: string): Step<boolean> => {
  const cell = settle(before, now)
  return cell.lease?.token === token
    ? { ...revoke(cell, now, "ended"), reply: true }
    : { cell, reply: false }
}

/**
 * Stores; what was being rebuilt is overtaken.
 *
 * @since 0.1.0
 * @category rules
 */
export const set = (before: Cell, now: number, stored: Encoded, keepFor: number): Step<void> => {
  const { cell, push } = write(before, now)
  return { cell: { ...cell, value: { stored, keepUntil: now + keepFor } }, reply: undefined, push }
}

/**
 * Removes; what was being rebuilt is overtaken.
 *
 * @since 0.1.0
 * @category rules
 */
export const invalidate = (before: Cell, now: number): Step<boolean> => {
  const { cell, push } = write(before, now)
  return {
    cell: { ...cell, value: undefined },
    reply: settle(before, now).value !== undefined,
    push
  }
}

/** Every L1 must hear of a write, whether or not someone waits for a lease. */
const write = (before: Cell, now: number) => {
  const cell = settle(before, now)
  const push = { token: cell.lease?.token ?? "", reason: "written" } as const
  return { cell: revoke(cell, now, "written").cell, push }
}

/**
 * Takes the lease from its holder, whose commit will be refused, and leaves word of it.
 *
 * @since 0.1.0
 * @category rules
 */
export const revoke = (before: Cell, now: number, reason: "ended" | "written"): Step<void> => {
  const cell = settle(before, now)
  if (cell.lease === undefined) return { cell, reply: undefined }
  const { duration, isAwaited, token } = cell.lease
  return {
    cell: { ...cell, lease: undefined, ended: { token, until: now + duration } },
    reply: undefined,
    ...(isAwaited && { push: { token, reason } })
  }
}
