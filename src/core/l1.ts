/** L1: decoded entries in this process, as many as its capacity allows. */
import type * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import type { Encoded } from "../policy/envelope.js"
import { Sieve } from "./sieve.js"

/**
 * A value, or a cached failure, as this process hands it out. Times are
 * monotonic milliseconds of this process.
 */
export interface Entry {
  readonly exit: Exit.Exit<any, any>
  readonly createdAt: number
  readonly expiresAt: number
  readonly staleUntil: number
  readonly errorUntil: number
  /** How long the creator took, capped (`policy/xfetch.ts`). */
  readonly delta: number
  readonly version: number
  /** What it was read from or stored as in L2, or its header alone; empty without L2. */
  readonly origin: Encoded
  /** The schema that last vouched for the value. */
  schema: Schema.Schema<any, any> | undefined
}

export class L1 {
  readonly entries: Sieve<Entry>
  /** While false, L1 neither serves nor fills (L2's pushes go unheard). */
  isServing = true

  constructor(capacity: number, onEvict: () => void) {
    this.entries = new Sieve(capacity, onEvict)
  }

  get(key: string): Entry | undefined {
    return this.isServing ? this.entries.get(key) : undefined
  }

  /** As `get`, but it does not count as a use. */
  peek(key: string): Entry | undefined {
    return this.isServing ? this.entries.peek(key) : undefined
  }

  put(key: string, entry: Entry): void {
    if (this.isServing) this.entries.set(key, entry)
  }

  remove(key: string): boolean {
    return this.entries.delete(key)
  }

  /** Removes all whose key begins with `start`. */
  removeAll(start: string): void {
    if (start === "") return this.entries.clear()
    for (const [key] of this.entries.entries()) {
      if (key.startsWith(start)) this.entries.delete(key)
    }
  }
}
