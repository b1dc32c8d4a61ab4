/**
 * Reads asked for in the same tick travel together; while others are out, those
 * of the same turn of the event loop. Part of a crowd that asks again does not
 * wait for the rest.
 *
 * A read is a record in a Map with a list of readers: no fiber, no
 * `Deferred`, no finalizer a caller. The reply settles it, so no caller owns it,
 * and an interrupted one simply never takes what it is handed.
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { CacheBackend } from "../port/CacheBackend.js"
import { run } from "../port/unfibered.js"
import type { Encoded } from "../policy/envelope.js"
import type { Decoded } from "./codec.js"
import type { Odds } from "./odds.js"
import { surroundingsOf } from "./request.js"

/** More keys in one command would hold up those behind it. */
const maxKeys = 256
/** Fewer are not worth two commands. */
const minCrowd = 4
/** So many are served in less time than a server needs to wake up. */
const smallCrowd = 32
/** A reply should not be much larger than this: it is parsed in one go. */
const maxBytes = 1_048_576

/** Who has asked for a key, and is handed the reply. */
export interface Reader {
  readonly take: (reply: Reply) => void
}

/** A class, for the reason given with `Request`. */
export class Read {
  /** Of those who asked for the same key in the same batch. */
  others: Array<Reader> | undefined = undefined
  /** A write or push has overtaken it: what it brings must not fill L1. */
  isVoided = false
  /** How many writes and pushes this process knew of when the reply came. */
  overtakes = 0
  /** What it brought, once for each way of reading it: those who gathered share it. */
  decoded: ReadonlyArray<Decoded> | undefined = undefined

  constructor(
    readonly key: string,
    /** Who asked first: if the command needs a fiber, it has its clock and its tracer. */
    readonly fiber: Fiber.RuntimeFiber<any, any>,
    readonly reader: Reader,
    /** To be told whether a lookup did well to begin so; undefined: none has. */
    public odds: Odds | undefined
  ) {}
}

/** Reads that travel in one command. */
interface Batch {
  readonly reads: ReadonlyArray<Read>
  /** Undefined: nothing stops it (yet). */
  stop: (() => void) | undefined
  /** Where it stands among those that are in flight. */
  at: number
}

export type Reply =
  | { readonly _tag: "Stored"; readonly read: Read; readonly stored: Encoded | undefined }
  | { readonly _tag: "Fault"; readonly error: unknown }
  | { readonly _tag: "Closed" }

/** @param isBusy others have been sent, and are not back yet */
export type Defer = (flush: () => void, isBusy: boolean) => void

/**
 * A read alone waits for no other. While one is out, those that the same turn of
 * the event loop brings go together: each by itself, the callers of a web server,
 * every one in a tick of its own, would all travel apart.
 */
export const deferred: Defer = (flush, isBusy) => {
  if (isBusy) setImmediate(flush)
  else queueMicrotask(flush)
}

export class Gather {
  /** Not sent yet: these alone can be joined. */
  private unsent = new Map<string, Read>()
  /**
   * An array, not a Set, and no fibers that a scope holds: a table from which one deletes
   * all the time is copied now and then, and V8 chains the old copies to the new
   * ones. Once one of them is old, all that follow, with all that travelled in
   * them, live until the next full collection: that was a quarter of the time.
   */
  private readonly inFlight: Array<Batch> = []
  /** What an entry has weighed lately, in bytes. */
  private weight = 128
  private isClosed = false
  /** How many came in crowds and were served in this turn of the event loop: they may ask again. */
  private served = 0
  private overtakes = 0

  constructor(
    private readonly backend: CacheBackend,
    private readonly fullKey: (key: string) => string,
    /** One failed command is one fault, however many reads travelled in it. */
    private readonly onFault: (error: unknown) => void,
    /** When to send what has been gathered. */
    private readonly defer: Defer
  ) {}

  /** Hands over the reply of a read that is sent after this call; true: another asked before. */
  read(key: string, fiber: Fiber.RuntimeFiber<any, any>, reader: Reader, odds?: Odds): boolean {
    const gathered = this.unsent.get(key)
    if (gathered !== undefined) {
      gathered.odds ??= odds
      gathered.others ??= []
      gathered.others.push(reader)
      return true
    }
    if (this.unsent.size === 0) this.defer(() => this.flush(), this.inFlight.length > 0)
    this.unsent.set(key, new Read(key, fiber, reader, odds))
    if (this.isPartOfACrowd()) this.flush()
    return false
  }

  /** What is read for this key no longer counts as new. */
  voidRead(key: string): void {
    this.overtakes++
    const unsent = this.unsent.get(key)
    if (unsent !== undefined) unsent.isVoided = true
    for (const { reads } of this.inFlight) {
      for (const read of reads) if (read.key === key) read.isVoided = true
    }
  }

  /** The same, for all keys that begin so. */
  voidReads(start: string): void {
    this.overtakes++
    const batches = [[...this.unsent.values()], ...this.inFlight.map(({ reads }) => reads)]
    for (const read of batches.flat()) if (read.key.startsWith(start)) read.isVoided = true
  }

  /**
   * Has a write or push come since the read was asked for? Between the reply and
   * the reader's step nobody knows the read any more, so that any write will do:
   * that time is short.
   */
  isOvertaken(read: Read): boolean {
    return read.isVoided || read.overtakes !== this.overtakes
  }

  /** Nobody hangs on a reply that will not come. */
  close(): void {
    this.isClosed = true
    const left = [...this.unsent.values()]
    for (const { reads, stop } of this.inFlight) {
      left.push(...reads)
      stop?.()
    }
    this.unsent = new Map()
    this.inFlight.length = 0
    for (const read of left) settle(read, { _tag: "Closed" })
  }

  /**
   * A crowd that has been served and asks again. As one it would have the server
   * idle while it is served, and be idle while the server works. So a part of it is
   * sent when it is complete, with the others still on their way; they leave when
   * the first of them all was to leave. Two parts keep both at work; of a small
   * crowd, which is served faster than a server wakes up, three.
   */
  private isPartOfACrowd(): boolean {
    const parts = this.served < smallCrowd ? 3 : 2
    return this.unsent.size === Math.ceil(this.served / parts) && this.inFlight.length < parts - 1
  }

  private flush(): void {
    const reads = [...this.unsent.values()]
    this.unsent = new Map()
    const step = Math.max(1, Math.min(maxKeys, Math.floor(maxBytes / this.weight)))
    for (const group of this.groupsOf(reads)) {
      for (let at = 0; at < group.length; at += step) this.send(group.slice(at, at + step))
    }
  }

  /** Those that can travel together. */
  private groupsOf(reads: ReadonlyArray<Read>): Iterable<ReadonlyArray<Read>> {
    const { groupOf } = this.backend
    if (groupOf === undefined || reads.length === 1) return [reads]
    const groups = new Map<unknown, Array<Read>>()
    for (const read of reads) {
      const group = groupOf(this.fullKey(read.key))
      const known = groups.get(group)
      if (known === undefined) groups.set(group, [read])
      else known.push(read)
    }
    return groups.values()
  }

  /** @param reads one or more */
  private send(reads: ReadonlyArray<Read>): void {
    if (this.isClosed) return reads.forEach((read) => settle(read, { _tag: "Closed" }))
    const batch: Batch = { reads, stop: undefined, at: this.inFlight.length }
    this.inFlight.push(batch)
    batch.stop = run(
      this.backend.getMany(reads.map(({ key }) => this.fullKey(key))),
      () => surroundingsOf(reads[0]!.fiber),
      (exit) => {
        if (this.isClosed) return
        this.remove(batch)
        if (Exit.isSuccess(exit)) return this.deliver(reads, exit.value)
        const error = Cause.squash(exit.cause)
        this.onFault(error)
        for (const read of reads) settle(read, { _tag: "Fault", error })
      }
    )
  }

  /** The last one takes its place. */
  private remove(batch: Batch): void {
    const last = this.inFlight.pop() as Batch
    if (last === batch) return
    this.inFlight[batch.at] = last
    last.at = batch.at
  }

  /** For this turn alone: who asks later comes by itself. */
  private expectAgain(count: number): void {
    if (this.served === 0) {
      setImmediate(() => {
        this.served = 0
      })
    }
    this.served += count
  }

  private deliver(reads: ReadonlyArray<Read>, replies: ReadonlyArray<Encoded | undefined>): void {
    if (reads.length >= minCrowd) this.expectAgain(reads.length)
    for (let at = 0; at < reads.length; at++) {
      const read = reads[at] as Read
      const stored = replies[at]
      read.overtakes = this.overtakes
      read.odds?.saw(stored !== undefined)
      if (stored !== undefined) this.weight += (stored.length - this.weight) / 16
      settle(read, { _tag: "Stored", read, stored })
    }
  }
}

const settle = (read: Read, reply: Reply): void => {
  read.reader.take(reply)
  if (read.others !== undefined) for (const reader of read.others) reader.take(reply)
}
