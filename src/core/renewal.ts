/**
 * A lease lives as long as its holder shows signs of life.
 *
 * One fiber renews all that this process holds. A fiber a lease, started and
 * interrupted with each creator, would be a quarter of the price of a miss.
 */
import type * as Clock from "effect/Clock"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { BackendError } from "../port/CacheBackend.js"
import { nowOf } from "../port/monotonic.js"
import type { Log } from "./log.js"
import type { Tally } from "./counters.js"

/** A lease that this process holds. */
export interface Held {
  /** The key as it stands in L2. */
  readonly key: string
  readonly token: string
  readonly tally: Tally
  /** Not renewed after this: a stuck creator must not hold a key for ever. */
  readonly until: number
  dueAt: number
  /** A renewal is on its way. */
  isAsking: boolean
  /** Where it stands among those that are held. */
  at: number
}

export class Renewals {
  private readonly held: Array<Held> = []
  private sleeping: Fiber.RuntimeFiber<void> | undefined

  constructor(
    /** How often, in milliseconds. */
    private readonly interval: number,
    private readonly maxHold: number,
    private readonly clock: Clock.Clock,
    private readonly log: Log,
    private readonly renew: (held: Held) => Effect.Effect<boolean, BackendError>,
    private readonly fork: (running: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  ) {}

  /** Keeps a lease alive until it is let go of, or `maxHold` has passed. */
  hold(key: string, token: string, tally: Tally): Held {
    const time = nowOf(this.clock)
    const held: Held = {
      key,
      token,
      tally,
      until: time + this.maxHold,
      dueAt: time + this.interval,
      isAsking: false,
      at: this.held.length
    }
    this.held.push(held)
    this.sleeping ??= this.fork(this.running)
    return held
  }

  letGo(held: Held): void {
    if (this.held[held.at] !== held) return
    const last = this.held.pop() as Held
    if (last === held) return
    this.held[held.at] = last
    last.at = held.at
  }

  /** For when no creator runs any more. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() =>
    this.sleeping === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(this.sleeping))
  )

  /** While anything is held, and for one interval longer. */
  private readonly running: Effect.Effect<void> = Effect.suspend(() => {
    const time = nowOf(this.clock)
    for (const held of this.held.filter(({ dueAt }) => dueAt <= time)) {
      held.dueAt = time + this.interval
      if (time > held.until) this.letGo(held)
      else if (!held.isAsking) this.fork(this.attempt(held))
    }
    if (this.held.length === 0) {
      this.sleeping = undefined
      return Effect.void
    }
    const next = this.held.reduce((least, { dueAt }) => Math.min(least, dueAt), Infinity)
    // Whole milliseconds: a timer that rings a fraction early would find nothing due.
    return Effect.zipRight(Effect.sleep(Math.ceil(next - time)), this.running)
  })

  /**
   * In doubt it is tried again; only "not yours" ends it. The creator is not
   * told: the commit decides.
   */
  private attempt(held: Held): Effect.Effect<void> {
    held.isAsking = true
    return Effect.matchCauseEffect(this.renew(held), {
      onSuccess: (isOurs) =>
        Effect.sync(() => {
          held.isAsking = false
          if (!isOurs) this.letGo(held)
        }),
      onFailure: (cause) => {
        held.isAsking = false
        if (this.held[held.at] !== held) return Effect.void
        held.tally.backendErrors++
        return this.log.fault("renew", Cause.squash(cause))
      }
    })
  }
}
