/**
 * Invalidations that the backend has not confirmed.
 *
 * While one is pending for a key, this process neither reads nor commits that
 * key in L2; it is replayed before any other command on the key. A confirmation
 * removes only the record that it carried, by identity: a write that failed
 * meanwhile has left another.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type { BackendError } from "../port/CacheBackend.js"

/** Beyond this many keys, the whole prefix is pending instead. */
const maxKeys = 10_000

/** How long the background waits between two attempts. */
const backoff = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.jittered
)

/** A record: what to invalidate. Its identity is what a confirmation removes. */
export interface Unconfirmed {
  readonly kind: "key" | "start"
  /** A user's key, or what the keys begin with (`clear`). */
  readonly target: string
}

export interface Replay {
  /** Returns when it is worth while to send anything. */
  readonly ready: Effect.Effect<void>
  /** Can a whole prefix be replayed? If not, single keys are kept without a bound. */
  readonly canClear: () => boolean
  readonly command: (unconfirmed: Unconfirmed) => Effect.Effect<unknown, BackendError>
  readonly onConfirmed: (unconfirmed: Unconfirmed) => void
}

export class Pending {
  private readonly keys = new Map<string, Unconfirmed>()
  private readonly starts = new Map<string, Unconfirmed>()

  constructor(
    private readonly replay: Replay,
    /** Runs the replaying in the background, while anything is pending. */
    private readonly fork: (replaying: Effect.Effect<void>) => void
  ) {}

  private isReplaying = false

  get size(): number {
    return this.keys.size + this.starts.size
  }

  has(key: string): boolean {
    if (this.size === 0) return false
    if (this.keys.has(key)) return true
    for (const start of this.starts.keys()) if (key.startsWith(start)) return true
    return false
  }

  add(kind: Unconfirmed["kind"], target: string): void {
    if (
      kind === "key" &&
      this.replay.canClear() &&
      this.keys.size >= maxKeys &&
      !this.keys.has(target)
    ) {
      this.keys.clear()
      return this.add("start", "")
    }
    this.recordsOf(kind).set(target, { kind, target })
    if (this.isReplaying) return
    this.isReplaying = true
    this.fork(this.replayAll)
  }

  /** The record that an invalidation of the key would carry, if there is one. */
  recordOf(key: string): Unconfirmed | undefined {
    return this.keys.get(key)
  }

  /** Replays what concerns the key, before another command on it; true: nothing is left. */
  before(key: string): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (!this.has(key)) return Effect.succeed(true)
      const concerned = this.all().filter(({ kind, target }) =>
        kind === "key" ? target === key : key.startsWith(target)
      )
      return Effect.map(
        Effect.every(concerned, (unconfirmed) => this.attempt(unconfirmed)),
        () => !this.has(key)
      )
    })
  }

  /** The one to be replayed first: what concerns many keys goes before what concerns one. */
  get first(): Unconfirmed | undefined {
    const [first] = this.starts.size > 0 ? this.starts.values() : this.keys.values()
    return first
  }

  /** The others go first, next time: it may be alone in that it fails. */
  postpone(unconfirmed: Unconfirmed): void {
    if (!this.isPending(unconfirmed)) return
    const records = this.recordsOf(unconfirmed.kind)
    records.delete(unconfirmed.target)
    records.set(unconfirmed.target, unconfirmed)
  }

  /** A command that carries it: to confirm that one is to confirm this. */
  carry<A>(
    unconfirmed: Unconfirmed,
    command: Effect.Effect<A, BackendError>
  ): Effect.Effect<A, BackendError> {
    return Effect.map(command, (reply) => {
      this.confirm(unconfirmed)
      return reply
    })
  }

  confirm(unconfirmed: Unconfirmed): void {
    // A write that failed while this was under way has put a record of its own
    // in the place: the server may yet execute that write, so it stays.
    if (!this.isPending(unconfirmed)) return
    this.recordsOf(unconfirmed.kind).delete(unconfirmed.target)
    this.replay.onConfirmed(unconfirmed)
  }

  private isPending(unconfirmed: Unconfirmed): boolean {
    return this.recordsOf(unconfirmed.kind).get(unconfirmed.target) === unconfirmed
  }

  private recordsOf(kind: Unconfirmed["kind"]): Map<string, Unconfirmed> {
    return kind === "key" ? this.keys : this.starts
  }

  private all(): ReadonlyArray<Unconfirmed> {
    return [...this.starts.values(), ...this.keys.values()]
  }

  private attempt(unconfirmed: Unconfirmed): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      // Noted for this round │ carried by another command, and confirmed │ `set` │ replayed:
      // that would remove what was set.
      if (!this.isPending(unconfirmed)) return Effect.succeed(true)
      const command = this.carry(unconfirmed, this.replay.command(unconfirmed))
      return Effect.map(Effect.exit(command), Exit.isSuccess)
    })
  }

  /**
   * One round over all that is pending; true: all is confirmed. One that fails may be alone
   * in that: refused, or on a node of a cluster that is gone.
   */
  private readonly round: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.zipRight(
      this.replay.ready,
      Effect.suspend(() =>
        Effect.forEach(this.all(), (unconfirmed) => this.attempt(unconfirmed), { discard: true })
      )
    )
  ).pipe(
    // Decided and marked in one step: an `add` between the two would find a
    // replay that has already made up its mind to stop.
    Effect.map(() => {
      if (this.size === 0) this.isReplaying = false
      return !this.isReplaying
    })
  )

  private readonly replayAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(Effect.repeat(this.round, { schedule: backoff, until: (isDone) => isDone }))
  )
}
