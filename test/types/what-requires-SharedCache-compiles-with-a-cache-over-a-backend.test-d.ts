import * as Effect from "effect/Effect"
import { Cache, type CacheBackend, SharedCache } from "effect-larder"

declare const backend: CacheBackend

const shared = SharedCache.getOrCreate("k", Effect.succeed(1))
const either = Effect.zip(shared, Cache.getOrCreate("k", Effect.succeed(2)))

export const alone: Promise<number> = Effect.runPromise(
  Effect.provide(shared, Cache.fromBackend(backend))
)
export const both: Promise<[number, number]> = Effect.runPromise(
  Effect.provide(either, Cache.fromBackend(backend, { ttl: "1 minute" }))
)
