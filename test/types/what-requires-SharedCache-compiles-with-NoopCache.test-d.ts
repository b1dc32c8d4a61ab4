import * as Effect from "effect/Effect"
import { Cache, NoopCache, NoopCacheLive, SharedCache } from "effect-larder"

const shared = SharedCache.getOrCreate("k", Effect.succeed(1))
const either = Effect.zip(shared, Cache.getOrCreate("k", Effect.succeed(2)))

export const alone: Promise<number> = Effect.runPromise(Effect.provide(shared, NoopCache.layer))
export const live: Promise<number> = Effect.runPromise(Effect.provide(shared, NoopCacheLive))
export const both: Promise<[number, number]> = Effect.runPromise(
  Effect.provide(either, NoopCache.layer)
)
