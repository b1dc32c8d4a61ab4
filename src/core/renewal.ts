/**
 * A lease lives as long as its holder shows signs of life.
 *
 * One fiber renews all that this process holds. A fiber a lease, started and
 * interrupted with each creator, would be a quarter of the price of a miss.
 */
import type * as Clock from "effect/Clock"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { BackendError } from "../port/CacheBackend.js"
import { nowOf } from "../port/monotonic.js"

/** The terms on which it is held; all in milliseconds. */
export interface Terms {
  /** How often it is renewed. */
  readonly every: number
  /** How soon again, when it is not known whether it was. */
  readonly retry: number
  /** Not renewed after this: a stuck creator must not hold a key for ever. */
  readonly maxHold: number
  /** Lost when no renewal has been confirmed for so long. Infinity: only the server says so. */
  readonly lasts: number
}

/** A lease that this process holds. */
export interface Held<Owner> {
  readonly key: string
  readonly token: string
  readonly owner: Owner
  readonly terms: Terms
  readonly until: number
  dueAt: number
  lostAt: number
  /** A renewal is on its way. */
  isAsking: boolean
  /** Where it stands among those that are held. */
  at: number
}

export type LossReason = "Silent" | "Taken" | "Closed"

/** What is done for those who hold something. */
export interface Holders<Owner> {
  readonly renew: (held: Held<Owner>) => Effect.Effect<boolean, BackendError>
  readonly onFault: (held: Held<Owner>, cause: Cause.Cause<BackendError>) => Effect.Effect<void>
  readonly onLost: (held: Held<Owner>, reason: LossReason) => void
}

/** Beyond this a timer would ring at once. */
const longestSleep = 2_147_483_647

export class Renewals<Owner> {
  private readonly held: Array<Held<Owner>> = []
  private runner: Fiber.RuntimeFiber<void> | undefined
  /** When the runner looks next. Infinity: there is none. -Infinity: it is about to. */
  private wakesAt = Infinity
  private isStopped = false

  constructor(
    private readonly clock: Clock.Clock,
    private readonly holders: Holders<Owner>,
    private readonly fork: (running: Effect.Effect<void>) => Fiber.RuntimeFiber<void>
  ) {}

  /**
   * Keeps a lease alive until it is let go of.
   *
   * @param since when it was asked for: it may have been granted at once
   */
  hold(
    key: string,
    token: string,
    owner: Owner,
    terms: Terms,
    since: number = nowOf(this.clock)
  ): Held<Owner> {
    const held: Held<Owner> = {
      key,
      token,
      owner,
      terms,
      until: since + terms.maxHold,
      dueAt: since + terms.every,
      lostAt: since + terms.lasts,
      isAsking: false,
      at: this.held.length
    }
    this.held.push(held)
    if (this.isStopped) this.lose(held, "Closed")
    else this.wakeBy(held)
    return held
  }

  letGo(held: Held<Owner>): void {
    if (!this.holds(held)) return
    const last = this.held.pop() as Held<Owner>
    if (last === held) return
    this.held[held.at] = last
    last.at = held.at
  }

  /** For when nobody needs them any more. What is held then, or later, is lost at once. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.isStopped = true
    for (const held of [...this.held]) this.lose(held, "Closed")
    return this.runner === undefined ? Effect.void : Effect.asVoid(Fiber.interrupt(this.runner))
  })

  private holds(held: Held<Owner>): boolean {
    return this.held[held.at] === held
  }

  private lose(held: Held<Owner>, reason: LossReason): void {
    this.letGo(held)
    this.holders.onLost(held, reason)
  }

  /** One of shorter terms than all the others may be the next to see to. */
  private wakeBy({ dueAt, lostAt }: Held<Owner>): void {
    if (Math.min(dueAt, lostAt) >= this.wakesAt) return
    this.runner?.unsafeInterruptAsFork(FiberId.none)
    this.wakesAt = -Infinity
    // It begins when we have ended: it may find that it is needed no more, and say so here.
    this.runner = this.fork(Effect.zipRight(Effect.yieldNow(), this.running))
  }

  /** While anything is held, and for one interval longer. */
  private readonly running: Effect.Effect<void> = Effect.suspend(() => {
    this.wakesAt = -Infinity
    const time = nowOf(this.clock)
    for (const held of [...this.held]) this.seeTo(held, time)
    if (this.held.length === 0) {
      this.runner = undefined
      this.wakesAt = Infinity
      return Effect.void
    }
    const next = this.held.reduce(
      (least, { dueAt, lostAt }) => Math.min(least, dueAt, lostAt),
      time + longestSleep
    )
    this.wakesAt = next
    // Whole milliseconds: a timer that rings a fraction early would find nothing due.
    return Effect.zipRight(Effect.sleep(Math.ceil(next - time)), this.running)
  })

  private seeTo(held: Held<Owner>, time: number): void {
    if (held.lostAt <= time) return this.lose(held, "Silent")
    if (held.dueAt > time) return
    held.dueAt = time + held.terms.every
    if (time > held.until) this.letGo(held)
    else if (!held.isAsking) this.fork(this.attempt(held))
  }

  /** Only "not yours", or silence, ends it. */
  private attempt(held: Held<Owner>): Effect.Effect<void> {
    held.isAsking = true
    const askedAt = nowOf(this.clock)
    return Effect.matchCauseEffect(this.holders.renew(held), {
      onSuccess: (isOurs) =>
        Effect.sync(() => {
          held.isAsking = false
          if (!this.holds(held)) return
          if (isOurs) held.lostAt = askedAt + held.terms.lasts
          else this.lose(held, "Taken")
        }),
      onFailure: (cause) => {
        held.isAsking = false
        if (!this.holds(held)) return Effect.void
        return Effect.zipRight(
          this.holders.onFault(held, cause),
          Effect.sync(() => {
            held.dueAt = nowOf(this.clock) + held.terms.retry
            this.wakeBy(held)
          })
        )
      }
    })
  }
}
