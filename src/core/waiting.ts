/**
 * Waiting for another process's lease: woken by its push, polling besides.
 *
 * A waiter heeds only the token that its own "held" reply named. A push may
 * overtake that reply, so tokens heard since the question was asked are kept.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Push } from "../port/CacheBackend.js"

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
    const woken = (token: string): Effect.Effect<void> =>
      Effect.async((resume) => {
        if (heard.has(token)) return resume(Effect.void)
        awaited = { token, wake: () => resume(Effect.void) }
        return Effect.sync(() => {
          awaited = undefined
        })
      })
    return {
      reset: () => heard.clear(),
      untilEnded: (token, millis) =>
        Effect.flatMap(Random.next, (random) =>
          Effect.raceFirst(
            woken(token),
            Effect.sleep(Math.max(0, Math.min(millis, pollEvery * (1 + random / 2))))
          )
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
