/**
 * Sets that may still be executed, though nobody waits for them: their caller left, or the
 * connection broke. The server executes none after its deadline.
 *
 * What follows one on its connection is executed after it. On another connection it may
 * come first, and be undone: so it is not sent before the deadline. On a Cluster the driver
 * may send either of them again, to other nodes, and a set without scripts takes more than
 * one command: there no connection keeps an order.
 */
import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import { realSleep } from "./link.js"

/** All sets of one key. */
interface Stray {
  readonly until: number
  /** Undefined: by several, or nobody knows which. */
  readonly socket: Socket | undefined
}

export class Strays {
  private readonly byKey = new Map<string, Stray>()

  /** A set that the server may execute until then, in milliseconds of this process. */
  add(key: string, { socket, until }: Stray): void {
    const left = until - performance.now()
    if (left <= 0) return
    const other = this.byKey.get(key)
    const stray: Stray = {
      until: Math.max(until, other?.until ?? 0),
      socket: other === undefined || other.socket === socket ? socket : undefined
    }
    this.byKey.set(key, stray)
    const forget = () => {
      if (this.byKey.get(key) === stray) this.byKey.delete(key)
    }
    setTimeout(forget, Math.ceil(stray.until - performance.now())).unref()
  }

  /** Returns when what is sent on the connection that is used then comes after all sets of the key. */
  outlast(key: string, socket: () => Socket | undefined): Effect.Effect<void> {
    return outlasting(() => untilFor(this.byKey.get(key), socket()))
  }

  /** Of all keys that begin so. */
  outlastAll(start: string, socket: () => Socket | undefined): Effect.Effect<void> {
    return outlasting(() => {
      let latest = 0
      for (const [key, stray] of this.byKey) {
        if (key.startsWith(start)) latest = Math.max(latest, untilFor(stray, socket()))
      }
      return latest
    })
  }
}

const untilFor = (stray: Stray | undefined, socket: Socket | undefined): number =>
  stray === undefined || (stray.socket !== undefined && stray.socket === socket) ? 0 : stray.until

/** Looks again when it has waited: meanwhile there may be others. */
const outlasting = (latest: () => number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const left = latest() - performance.now()
    return left > 0 ? Effect.zipRight(realSleep(Math.ceil(left)), outlasting(latest)) : Effect.void
  })
