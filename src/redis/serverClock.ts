/**
 * A server's time, reckoned from this process's monotonic clock.
 *
 * Sampled whenever a connection stands, now and then after, and when a command
 * came late: the machines' wall clocks decide nothing.
 */
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import { now } from "../port/monotonic.js"
import { send, type Sender } from "./driver.js"

export class ServerClock {
  private offset = 0
  private halfTrip = 0

  /** By how much it may be wrong, in milliseconds: the server answered some time between the two. */
  get uncertainty(): number {
    return this.halfTrip
  }

  /** Milliseconds of the server, at a moment of ours. */
  at(monotonic: number): number {
    return monotonic + this.offset
  }

  /** Asks a server; what it says was so halfway between question and answer. */
  sample(server: Sender): Effect.Effect<void, BackendError> {
    return Effect.gen(this, function* () {
      const sentAt = yield* now
      const [seconds, micros] = (yield* send(server, "time", "TIME", [])) as [string, string]
      const heardAt = yield* now
      this.offset = Number(seconds) * 1_000 + Number(micros) / 1_000 - (sentAt + heardAt) / 2
      this.halfTrip = (heardAt - sentAt) / 2
    })
  }
}
