/**
 * Callers that ask at the same time, in the ways in which that happens: the same
 * for every peer. Each gives the sum of the ids of what was found.
 */
import * as Effect from "effect/Effect"
import type { Cache } from "effect-larder"
import { setImmediate } from "node:timers/promises"
import type { RedisRuntime } from "./redisClients.js"
import type { Fetching } from "./redisPeers.js"
import { keyAt, type User } from "./users.js"

export type Turn = (lookups: number) => Promise<number>

/**
 * Many lookups before the first round: turns are too short to warm up anything,
 * and a crowd takes other ways through the code than one caller.
 */
export const warmUp = async (
  lookups: number,
  peers: ReadonlyArray<{ readonly turn: Turn }>
): Promise<void> => {
  for (const { turn } of peers) await turn(lookups)
}

const indices = (count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => index)

/** Ours: a fiber a caller, a `yield*` a lookup. */
export const inFibers =
  (runtime: RedisRuntime, callers: number) =>
  (lookup: (key: string) => Effect.Effect<User, never, Cache>): Turn =>
  (lookups) => {
    let sum = 0
    const caller = (first: number) =>
      Effect.gen(function* () {
        for (let at = first; at < lookups; at += callers) {
          // Apart: `sum += yield*` would read the sum before the others add to it.
          const { id } = yield* lookup(keyAt(at))
          sum += id
        }
      })
    return runtime
      .runPromise(
        Effect.forEach(indices(callers), caller, { concurrency: "unbounded", discard: true })
      )
      .then(() => sum)
  }

/** Others: an async function a caller, an `await` a lookup. */
export const inLoops =
  (callers: number) =>
  ({ fetch, userIn }: Pick<Fetching, "fetch" | "userIn">): Turn =>
  async (lookups) => {
    let sum = 0
    const caller = async (first: number) => {
      for (let at = first; at < lookups; at += callers) {
        const { id } = userIn(await fetch(keyAt(at)))
        sum += id
      }
    }
    await Promise.all(indices(callers).map(caller))
    return sum
  }

/** A crowd a tick: the next one comes when all have what they want. */
export const inOneTick =
  (callers: number) =>
  ({ fetch, userIn }: Pick<Fetching, "fetch" | "userIn">): Turn =>
  async (lookups) => {
    let sum = 0
    for (let at = 0; at < lookups; at += callers) {
      const crowd = indices(callers).map((caller) => fetch(keyAt(at + caller)))
      for (const found of await Promise.all(crowd)) sum += userIn(found).id
    }
    return sum
  }

/**
 * Connections of a web server: each asks again when it has been answered, in a
 * tick of its own, as the kernel hands it what a socket has received.
 */
export const inTicksOfTheirOwn =
  (callers: number) =>
  ({ fetch, userIn }: Pick<Fetching, "fetch" | "userIn">): Turn =>
  async (lookups) => {
    let sum = 0
    const caller = async (first: number) => {
      for (let at = first; at < lookups; at += callers) {
        await setImmediate()
        const { id } = userIn(await fetch(keyAt(at)))
        sum += id
      }
    }
    await Promise.all(indices(callers).map(caller))
    return sum
  }
