// @effect-diagnostics missingEffectContext:off -- the compiler says it, which is the statement

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cache, MemoryCacheLive, SharedCache } from "effect-larder"
import { exactly } from "./exactly.js"

const shared = SharedCache.getOrCreate("k", Effect.succeed(1))
const either = Effect.zip(shared, Cache.getOrCreate("k", Effect.succeed(2)))
const layer = Layer.provide(SharedCache.fromCache, MemoryCacheLive)

exactly<typeof SharedCache.fromCache, Layer.Layer<SharedCache, never, Cache>>(true)
exactly<typeof layer, Layer.Layer<SharedCache>>(true)

export const alone: Promise<number> = Effect.runPromise(Effect.provide(shared, layer))
export const both: Promise<[number, number]> = Effect.runPromise(
  Effect.provide(either, Layer.provideMerge(SharedCache.fromCache, MemoryCacheLive))
)
// @ts-expect-error -- it decides about the cache that is there: one must be
export const without = Effect.runPromise(Effect.provide(shared, SharedCache.fromCache))
