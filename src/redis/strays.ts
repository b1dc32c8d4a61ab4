/**
 * Sets of whose end nobody was told: their caller left, or the connection broke. The
 * server may execute them until their deadline.
 *
 * What follows one on its connection is executed after it. On another connection it may
 * come first, and be undone: so it is not sent before the deadline.
 */
import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import type { BackendError } from "../port/CacheBackend.js"
import { fault, noConnection } from "./driver.js"
import { realSleep } from "./link.js"

interface Stray {
  readonly key: string
  readonly socket: Socket | undefined
  readonly until: number
}

export class Strays {
  /** In the order of their deadlines. */
  private readonly all = new Set<Stray>()

  constructor(
    /** The connection that the key's commands go by now; undefined: there is none. */
    private readonly socketFor: (key: string) => Socket | undefined,
    private readonly commandTimeout: number
  ) {}

  /** Of a set that is about to be sent. */
  make(key: string): Stray {
    const until = performance.now() + this.commandTimeout
    return { key, socket: this.socketFor(key), until }
  }

  add(stray: Stray): void {
    this.forget()
    if (stray.socket !== undefined) this.all.add(stray)
  }

  /** Returns when what is sent about such keys comes after all of them. */
  outlast(command: string, concerns: (key: string) => boolean): Effect.Effect<void, BackendError> {
    return Effect.suspend(() => {
      this.forget()
      let until = 0
      for (const stray of this.all) {
        if (!concerns(stray.key)) continue
        const socket = this.socketFor(stray.key)
        if (socket === undefined) return fault(command, noConnection)
        if (socket !== stray.socket) until = stray.until
      }
      return until === 0 ? Effect.void : realSleep(Math.ceil(until - performance.now()))
    })
  }

  private forget(): void {
    const now = performance.now()
    for (const stray of this.all) {
      if (stray.until > now) return
      this.all.delete(stray)
    }
  }
}
