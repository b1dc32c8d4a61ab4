/** A process whose users do as `overtaking.ts` plans: reads and writes at random. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { Redis } from "ioredis"
import { serve } from "../servers/serve.js"
import { lanes, plan, run, silently, type Truth } from "./overtaking.js"
import { readSettings } from "./processes.js"

export interface Round {
  readonly round: number
  /** Rounds of one lane come one after the other, on one cache. */
  readonly lane: number
  /** Which of the two processes this is. */
  readonly process: number
  readonly seed: number
}

const make = Effect.gen(function* () {
  const { commandTimeout, prefix, url } = readSettings()
  const client = yield* Layer.build(RedisClient.layer({ url, commandTimeout }))
  const database = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (connection) => Effect.sync(() => connection.disconnect())
  )
  const caches = yield* Effect.forEach(Array.from({ length: lanes }), (_, lane) =>
    Effect.provide(Layer.build(RedisCache.layer({ prefix: `${prefix}-${lane}` })), client)
  )
  const truthOf = (round: number): Truth => {
    const key = `truth-of-${prefix}-${round}`
    return {
      moveOn: Effect.promise(async () => {
        const [[, truth] = []] = (await database.multi().incr(key).expire(key, 600).exec()) ?? []
        return Number(truth)
      }),
      read: Effect.promise(async () => Number(await database.get(key)))
    }
  }
  return {
    play: ({ lane, process, round, seed }: Round) => {
      const cache = caches[lane]
      return cache === undefined
        ? Effect.dieMessage(`there is no lane ${lane}`)
        : silently(Effect.provide(run(plan(round, process, seed), truthOf(round)), cache))
    }
  }
})

export type OvertakingHandlers = Effect.Effect.Success<typeof make>

serve(silently(make))
