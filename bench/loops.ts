/** The loops that cases share: the same for every peer of a kind, so that it weighs alike. */
import * as Effect from "effect/Effect"
import type { Cache } from "effect-larder"
import type { Runtime } from "./peers.js"

export type Key = (index: number) => string

/** The value of a key, so that each turn can be checked. */
export const valueOf = (key: string): number => key.length

export const sumOf =
  (keyAt: Key) =>
  (ops: number): number => {
    let sum = 0
    for (let index = 0; index < ops; index++) sum += valueOf(keyAt(index))
    return sum
  }

/** Effect peers: one fiber, a `yield*` a lookup. */
export const inOneFiber =
  (runtime: Runtime, keyAt: Key) =>
  <E>(lookup: (key: string) => Effect.Effect<number, E, Cache>) =>
  (ops: number): Promise<number> =>
    runtime.runPromise(
      Effect.gen(function* () {
        let sum = 0
        for (let index = 0; index < ops; index++) sum += yield* lookup(keyAt(index))
        return sum
      })
    )

/** Peers that promise: an `await` a lookup. */
export const awaited =
  (keyAt: Key) =>
  (lookup: (key: string) => Promise<number | undefined>) =>
  async (ops: number): Promise<number> => {
    let sum = 0
    for (let index = 0; index < ops; index++) sum += (await lookup(keyAt(index))) ?? NaN
    return sum
  }

export const direct =
  (keyAt: Key) =>
  (lookup: (key: string) => number | undefined) =>
  (ops: number): number => {
    let sum = 0
    for (let index = 0; index < ops; index++) sum += lookup(keyAt(index)) ?? NaN
    return sum
  }
