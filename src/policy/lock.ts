/**
 * A distributed lock, as pure transitions: what a backend must do in one step.
 *
 * It is a lease without an entry: the record and its renewal are those of
 * `lease.ts`. What it has besides is a queue, so that those who wait take turns,
 * and a fence, so that what a lock guards can refuse a holder that has lost it.
 *
 * @since 0.1.0
 */
import * as Lease from "./lease.js"

/** All that a backend knows of one lock. Times are server milliseconds. */
export interface LockCell {
  /** Who holds it, or whose turn it is. */
  readonly lease?: Lease.Lease | undefined
  /** The tokens of those who wait, from the first to the last. */
  readonly queue?: { readonly tokens: ReadonlyArray<string>; readonly until: number } | undefined
  readonly fence?: { readonly last: number; readonly until: number } | undefined
}

/**
 * What is asked for; `isWaiting`: with a place in the queue, should it be held. Durations
 * are milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface LockRequest {
  readonly token: string
  readonly duration: number
  readonly isWaiting: boolean
}

/**
 * What the answer is; `remaining`: how many more milliseconds it will be held, if nobody
 * renews it.
 *
 * @since 0.1.0
 * @category models
 */
export type LockReply =
  | { readonly _tag: "Granted"; readonly fence: bigint }
  | { readonly _tag: "Held"; readonly remaining: number }

/** What a step leaves behind, answers, and whose turn it makes it. */
export interface LockStep<A> {
  readonly cell: LockCell
  readonly reply: A
  readonly turn?: string | undefined
}

/** How long it is someone's turn: whoever has vanished holds up the others no longer. */
export const turnLife = 500

/** A queue outlives the longest pause between two questions of those who are in it. */
export const queueLife = 10_000

/** A fence is remembered for so long that no correction of the server's clock reaches back. */
export const fenceLife = 86_400_000

/** The cell without what has run out. */
export const settle = (cell: LockCell, now: number): LockCell => ({
  lease: alive(cell.lease, now),
  queue: alive(cell.queue, now),
  fence: alive(cell.fence, now)
})

const alive = <A extends { readonly until: number }>(it: A | undefined, now: number) =>
  it !== undefined && now < it.until ? it : undefined

/**
 * Grants the lock, if nobody else has it, nor the turn.
 *
 * The fence is the server's time in microseconds, or one more than the last, if
 * that is more: a server that has lost its data, in a failover for instance, does
 * not begin again at one.
 */
export const acquire = (
  before: LockCell,
  now: number,
  { duration, isWaiting, token }: LockRequest
): LockStep<LockReply> => {
  const cell = settle(before, now)
  const { fence, lease } = cell
  if (lease !== undefined && lease.token !== token) {
    return {
      cell: isWaiting ? { ...cell, queue: queueOf(joined(cell, token), now) } : cell,
      reply: { _tag: "Held", remaining: lease.until - now }
    }
  }
  const last = Math.max((fence?.last ?? 0) + 1, Math.round(now * 1_000))
  return {
    cell: {
      lease: lend(token, duration, now),
      queue: queueOf(without(cell, token), now),
      fence: { last, until: now + fenceLife }
    },
    reply: { _tag: "Granted", fence: BigInt(last) }
  }
}

/** Prolongs a lock that is still ours, as a lease. */
export const renew = (
  before: LockCell,
  now: number,
  token: string,
  duration: number
): LockStep<boolean> => {
  const { fence, lease, queue } = settle(before, now)
  const { cell, reply } = Lease.renew({ lease }, now, token, duration)
  return { cell: { lease: cell.lease, queue, fence }, reply }
}

/**
 * Gives up the lock, or the turn, to the first who waits; and a place in the queue.
 *
 * It is that one's turn, and nobody else's, for `turnLife`: otherwise a process
 * that takes the lock again and again would be there before whoever must wake up.
 */
export const release = (before: LockCell, now: number, token: string): LockStep<boolean> => {
  const cell = settle(before, now)
  const waiting = without(cell, token)
  if (cell.lease?.token !== token) {
    return { cell: { ...cell, queue: queueOf(waiting, now) }, reply: false }
  }
  const [next, ...others] = waiting
  return {
    cell: {
      fence: cell.fence,
      lease: next === undefined ? undefined : lend(next, turnLife, now),
      queue: queueOf(others, now)
    },
    reply: true,
    turn: next
  }
}

const lend = (token: string, duration: number, now: number): Lease.Lease => ({
  token,
  duration,
  until: now + duration,
  isAwaited: false
})

const without = ({ queue }: LockCell, token: string): ReadonlyArray<string> =>
  queue?.tokens.filter((it) => it !== token) ?? []

/** Who is in it keeps the place. */
const joined = ({ queue }: LockCell, token: string): ReadonlyArray<string> =>
  queue?.tokens.includes(token) === true ? queue.tokens : [...(queue?.tokens ?? []), token]

const queueOf = (tokens: ReadonlyArray<string>, now: number): LockCell["queue"] =>
  tokens.length === 0 ? undefined : { tokens, until: now + queueLife }
