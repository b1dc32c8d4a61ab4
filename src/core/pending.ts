/**
 * Invalidations that the backend has not confirmed.
 *
 * While one is pending for a key, this process neither reads nor commits that
 * key in L2; it is replayed before any other command on the key. A confirmation
 * removes only the record that it carried, by identity: a write that failed
 * meanwhile has left another.
 */
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Schedule from "effect/Schedule"
import type { BackendError } from "../port/CacheBackend.js"

/** Beyond this many keys, or so many prefixes, all is pending instead. */
const maxKeys = 10_000
const maxStarts = 100

/** In a row: then a round goes no further, and they are the last of the next one. */
const maxFailures = 5

/** How long a caller waits for a prefix that is being cleared, in milliseconds. */
const patience = 250

/** How long the background waits between two rounds. */
const backoff = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.jittered
)

/** A record: what to invalidate. Its identity is what a confirmation removes. */
export interface Unconfirmed {
  readonly kind: "key" | "start"
  /** A user's key, or what the keys begin with (`clear`). */
  readonly target: string
  /** It stands for keys that were too many: a backend that cannot clear has not confirmed it. */
  readonly isOverflow: boolean
  /** Has an attempt begun? */
  isTried: boolean
  /** One attempt at a time: whoever comes meanwhile is content with what comes of it. */
  isUnderWay: boolean
  /** What comes of the attempt that is under way or the first; of the last one, if none is. */
  outcome: Deferred.Deferred<boolean>
}

export interface Replay {
  /** Is it worth while to send anything? */
  readonly isReady: () => boolean
  /** Returns when it is. */
  readonly ready: Effect.Effect<void>
  /** Can a whole prefix be replayed? If not, single keys are kept without a bound. */
  readonly canClear: () => boolean
  /** One that is alone in that it fails tells its circuit nothing of the server. */
  readonly command: (
    unconfirmed: Unconfirmed,
    isCounted: boolean
  ) => Effect.Effect<unknown, BackendError>
  readonly onConfirmed: (unconfirmed: Unconfirmed) => void
  readonly onFault: (
    unconfirmed: Unconfirmed,
    cause: Cause.Cause<BackendError>
  ) => Effect.Effect<void>
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

  /** Were there too many keys? */
  get isOverflowing(): boolean {
    return this.starts.get("")?.isOverflow ?? false
  }

  has(key: string): boolean {
    if (this.size === 0) return false
    if (this.keys.has(key)) return true
    for (const start of this.starts.keys()) if (key.startsWith(start)) return true
    return false
  }

  add(kind: Unconfirmed["kind"], target: string): void {
    const records = this.recordsOf(kind)
    const isNew = !records.has(target)
    if (kind === "key" && isNew && records.size >= maxKeys && this.replay.canClear()) {
      this.keys.clear()
      return this.put("start", "", true)
    }
    if (kind === "start" && isNew && records.size >= maxStarts) {
      const stands = this.isOverflowing
      records.clear()
      return this.put(kind, "", stands)
    }
    this.put(kind, target, records.get(target)?.isOverflow ?? false)
  }

  private put(kind: Unconfirmed["kind"], target: string, isOverflow: boolean): void {
    this.recordsOf(kind).set(target, {
      kind,
      target,
      isOverflow,
      isTried: false,
      isUnderWay: false,
      outcome: Deferred.unsafeMake(FiberId.none)
    })
    if (this.isReplaying) return
    this.isReplaying = true
    this.fork(this.replayAll)
  }

  /** The record that an invalidation of the key would carry, if there is one. */
  recordOf(key: string): Unconfirmed | undefined {
    return this.keys.get(key)
  }

  /**
   * Replays what concerns the key, before another command on it; true: nothing is left. No
   * caller clears a prefix: that is as many commands as the server has keys.
   */
  before(key: string): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      if (!this.has(key)) return Effect.succeed(true)
      const concerned = this.all().filter(({ kind, target }) =>
        kind === "key" ? target === key : key.startsWith(target)
      )
      return Effect.map(
        Effect.every(concerned, (unconfirmed) =>
          unconfirmed.kind === "key" ? this.attempt(unconfirmed) : this.outcomeOf(unconfirmed)
        ),
        () => !this.has(key)
      )
    })
  }

  /** One that is a single command: a prefix takes as many as the server has keys. */
  get singleKey(): Unconfirmed | undefined {
    const [singleKey] = this.keys.values()
    return singleKey
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

  private attempt(unconfirmed: Unconfirmed, isCounted = true): Effect.Effect<boolean> {
    const send = Effect.matchCauseEffect(
      Effect.suspend(() => this.carry(unconfirmed, this.replay.command(unconfirmed, isCounted))),
      {
        onFailure: (cause) => Effect.as(this.replay.onFault(unconfirmed, cause), false),
        onSuccess: () => Effect.succeed(true)
      }
    )
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        // Noted for this round │ carried by another command, and confirmed │ `set` │ replayed:
        // that would remove what was set.
        if (!this.isPending(unconfirmed)) return Effect.succeed(true)
        if (unconfirmed.isUnderWay) return restore(Deferred.await(unconfirmed.outcome))
        unconfirmed.isUnderWay = true
        // The last one's has been told.
        if (unconfirmed.isTried) unconfirmed.outcome = Deferred.unsafeMake(FiberId.none)
        unconfirmed.isTried = true
        return Effect.onExit(restore(send), (exit) => {
          unconfirmed.isUnderWay = false
          return Deferred.succeed(unconfirmed.outcome, Exit.isSuccess(exit) && exit.value)
        })
      })
    )
  }

  /** What comes of the attempt that is under way, or due at once; false: it takes too long. */
  private outcomeOf({ isUnderWay, outcome }: Unconfirmed): Effect.Effect<boolean> {
    if (!isUnderWay && !this.replay.isReady()) return Effect.succeed(false)
    return Effect.timeoutTo(Deferred.await(outcome), {
      duration: patience,
      onSuccess: (isConfirmed) => isConfirmed,
      onTimeout: () => false
    })
  }

  /**
   * One round over all that is pending; true: all is confirmed. One that fails may be alone
   * in that, refused, or on a node of a cluster that is gone: it tells the circuit once a
   * round, between which others may say that the server is there.
   */
  private readonly round: Effect.Effect<boolean> = Effect.suspend(() =>
    Effect.zipRight(this.replay.ready, this.tryAll)
  ).pipe(
    // Decided and marked in one step: an `add` between the two would find a
    // replay that has already made up its mind to stop.
    Effect.map(() => {
      if (this.size === 0) this.isReplaying = false
      return !this.isReplaying
    })
  )

  private readonly tryAll: Effect.Effect<void> = Effect.suspend(() => {
    let failures = 0
    let inARow = 0
    const tryNext = (unconfirmed: Unconfirmed): Effect.Effect<void> =>
      inARow === maxFailures
        ? Effect.void
        : Effect.map(this.attempt(unconfirmed, failures === 0), (isConfirmed) => {
            if (isConfirmed) return void (inARow = 0)
            failures++
            inARow++
            this.postpone(unconfirmed)
          })
    return Effect.forEach(this.all(), tryNext, { discard: true })
  })

  private readonly replayAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.asVoid(Effect.repeat(this.round, { schedule: backoff, until: (isDone) => isDone }))
  )
}
