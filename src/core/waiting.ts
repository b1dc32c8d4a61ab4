/**
 * Waiting for another process's lease: woken by its push, polling besides.
 *
 * A waiter heeds only the token that its own "held" reply named. A push may
 * overtake that reply, so tokens heard since the question was asked are kept.
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import type { Push } from "../port/CacheBackend.js"
import { surroundingsOf } from "./request.js"

/** Pushes can be lost: a waiter looks again after this long, and up to half as long more. */
const pollEvery = 200

/** Looks for what was pushed, and hands over what it finds; false: there is nothing to look for. */
export type Look<A> = (
  push: Push,
  fiber: Fiber.RuntimeFiber<unknown, unknown>,
  found: (it: A) => void
) => boolean

interface Wait {
  readonly token: string
  readonly end: (push: Push) => void
}

/** One who waits, once at a time. */
export class Listener {
  private readonly heard = new Set<string>()
  private readonly stored = new Set<string>()
  private wait: Wait | undefined = undefined

  constructor(private readonly onClose: (self: Listener) => void) {}

  close(): void {
    this.onClose(this)
  }

  /** Forgets what has been heard: the question is asked anew. */
  reset(): void {
    this.heard.clear()
  }

  /** Has it been heard, at any time, that the holder with this token has stored a value? */
  hasStored(token: string): boolean {
    return this.stored.has(token)
  }

  hear(push: Push): void {
    this.heard.add(push.token)
    if (push.reason === "stored") this.stored.add(push.token)
    if (this.wait?.token === push.token) this.wait.end(push)
  }

  /**
   * Returns when `token` has ended, at the latest after `millis` or a poll interval.
   *
   * A look at what it has left is taken at once, and what is found is given: no fiber need
   * wake up for it. While it lasts no clock ends the wait.
   */
  untilEnded<A = never>(
    token: string,
    millis: number,
    look: Look<A> = () => false
  ): Effect.Effect<A | undefined> {
    // A race would be two fibers, and a wait for the end of the one that lost.
    return Effect.withFiberRuntime((fiber) =>
      Effect.async((resume) => {
        if (this.heard.has(token)) return resume(Effect.succeed(undefined))
        const timer = Runtime.runFork(surroundingsOf(fiber))(pause(millis))
        const stop = (): void => timer.unsafeInterruptAsFork(FiberId.none)
        const wait: Wait = {
          token,
          end: (push) => {
            this.wait = undefined
            const isLooking = look(push, fiber, (it) => resume(Effect.succeed(it)))
            if (!isLooking) resume(Effect.succeed(undefined))
            // All who are woken now, in this process, go first.
            setImmediate(stop)
          }
        }
        this.wait = wait
        timer.addObserver(() => {
          if (this.wait !== wait) return
          this.wait = undefined
          resume(Effect.succeed(undefined))
        })
        return Effect.sync(() => {
          if (this.wait === wait) this.wait = undefined
          stop()
        })
      })
    )
  }
}

const pause = (millis: number): Effect.Effect<void> =>
  Effect.flatMap(Random.next, (random) =>
    Effect.sleep(Math.max(0, Math.min(millis, pollEvery * (1 + random / 2))))
  )

export class Waiters {
  private readonly listeners = new Map<string, Set<Listener>>()

  /** How many listen; 0 when nothing is under way. */
  get size(): number {
    return this.listeners.size
  }

  hear(push: Push): void {
    this.listeners.get(push.key)?.forEach((listener) => listener.hear(push))
  }

  listen(key: string): Listener {
    const all = this.listeners.get(key) ?? new Set()
    const listener = new Listener((self) => {
      all.delete(self)
      if (all.size === 0 && this.listeners.get(key) === all) this.listeners.delete(key)
    })
    this.listeners.set(key, all.add(listener))
    return listener
  }
}
