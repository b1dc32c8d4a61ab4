// @effect-diagnostics missingEffectContext:off -- the compiler says it, which is the statement

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CacheRegion, MemoryCache, MemoryCacheLive, SharedCache } from "effect-larder"

const region = CacheRegion.make({ name: "user", value: Schema.Number, cache: SharedCache })

const programs = [
  SharedCache.getOrCreate("k", Effect.succeed(1)),
  SharedCache.get("k"),
  SharedCache.invalidate("k"),
  region.getOrCreate("k", Effect.succeed(1)),
  region.clear
] as const

export const run = [
  // @ts-expect-error -- what another instance invalidates it would go on serving
  Effect.runPromise(Effect.provide(programs[0], MemoryCacheLive)),
  // @ts-expect-error -- likewise
  Effect.runPromise(Effect.provide(programs[1], MemoryCacheLive)),
  // @ts-expect-error -- likewise
  Effect.runPromise(Effect.provide(programs[2], MemoryCacheLive)),
  // @ts-expect-error -- likewise
  Effect.runPromise(Effect.provide(programs[3], MemoryCacheLive)),
  // @ts-expect-error -- likewise
  Effect.runPromise(Effect.provide(programs[4], MemoryCacheLive)),
  // @ts-expect-error -- likewise
  Effect.runPromise(Effect.provide(programs[0], MemoryCache.layer())),
  // @ts-expect-error -- likewise
  Effect.runPromise(Effect.provide(programs[0], MemoryCache.layerTest))
]
