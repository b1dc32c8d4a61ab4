import { Effect } from "effect"
import { type Cache, NoopCacheLive, SharedCache } from "effect-larder"
import { RedisCacheLive } from "effect-larder/redis"

declare const loadRights: Effect.Effect<ReadonlyArray<string>>

const rights = SharedCache.getOrCreate("rights:42", loadRights)

export const shared = Effect.provide(rights, RedisCacheLive)

export const uncached = Effect.provide(rights, NoopCacheLive)

export const decidedAtRunTime: Effect.Effect<ReadonlyArray<string>, never, Cache> = Effect.provide(
  rights,
  SharedCache.fromCache
)
