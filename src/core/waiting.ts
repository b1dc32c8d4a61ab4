/**
 * Waiting for another process's lease: woken by its push, polling besides.
 *
 * A waiter heeds only the token that its own "held" reply named. A push may
 * overtake that reply, so tokens heard since the question was asked are kept.
 */
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import type { Push } from "../port/CacheBackend.js"
import { surroundingsOf } from "./request.js"

/** Pushes can be lost: a waiter looks again after this long, and up to half as long more. */
const pollEvery = 200

export interface Listener {
  /** Forgets what has been heard: the question is asked anew. */
  readonly reset: () => void
  /** Returns when `token` has ended, at the latest after `millis` or a poll interval. */
  readonly untilEnded: (token: string, millis: number) => Effect.Effect<void>
  readonly close: () => void
}

export class Waiters {
  private readonly listeners = new Map<string, Set<(token: string) => void>>()

  /** How many listen; 0 when nothing is under way. */
  get size(): number {
    return this.listeners.size
  }

  hear(push: Push): void {
    this.listeners.get(push.key)?.forEach((listener) => listener(push.token))
  }

  listen(key: string): Listener {
    const heard = new Set<string>()
    let awaited: { readonly token: string; readonly wake: () => void } | undefined
    const listener = (token: string) => {
      heard.add(token)
      if (awaited?.token === token) awaited.wake()
    }
    let listeners = this.listeners.get(key)
    if (listeners === undefined) this.listeners.set(key, (listeners = new Set()))
    listeners.add(listener)
    // A race would be two fibers, and a wait for the end of the one that lost.
    const untilEnded = (token: string, millis: number): Effect.Effect<void> =>
      Effect.withFiberRuntime((fiber) =>
        Effect.async((resume) => {
          if (heard.has(token)) return resume(Effect.void)
          const timer = Runtime.runFork(surroundingsOf(fiber))(Effect.sleep(millis))
          const stop = (): void => {
            if (awaited === own) awaited = undefined
            timer.unsafeInterruptAsFork(FiberId.none)
          }
          const wake = (): void => {
            stop()
            resume(Effect.void)
          }
          const own = { token, wake }
          awaited = own
          timer.addObserver(wake)
          return Effect.sync(stop)
        })
      )
    return {
      reset: () => heard.clear(),
      untilEnded: (token, millis) =>
        Effect.flatMap(Random.next, (random) =>
          untilEnded(token, Math.max(0, Math.min(millis, pollEvery * (1 + random / 2))))
        ),
      close: () => {
        listeners.delete(listener)
        if (listeners.size === 0 && this.listeners.get(key) === listeners) {
          this.listeners.delete(key)
        }
      }
    }
  }
}
