// A Redis with a ttl, as people write it.
import { Effect } from "effect"
import { Redis } from "ioredis"

export const connect = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (redis) => Effect.sync(() => redis.disconnect())
  )

export const getOrLoad = <A, E, R>(
  redis: Redis,
  key: string,
  load: Effect.Effect<A, E, R>,
  ttlMillis: number
): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const found = yield* Effect.promise(() => redis.get(key))
    if (found !== null) return JSON.parse(found) as A
    const value = yield* load
    yield* Effect.promise(() => redis.set(key, JSON.stringify(value), "PX", ttlMillis))
    return value
  })
