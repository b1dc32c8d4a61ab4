/** Connections to a server, ours and bare ones, for as long as a scope lasts. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type * as Scope from "effect/Scope"
import type { Cache, SharedCache } from "effect-larder"
import { RedisCache, RedisClient, type RedisUnavailable } from "effect-larder/redis"
import { Redis, type RedisOptions } from "ioredis"
import type { Address } from "../test/servers/redis.js"

/** How long entries live, in milliseconds: longer than any case lasts. */
export const ttl = 3_600_000

export type RedisRuntime = ManagedRuntime.ManagedRuntime<Cache | SharedCache, RedisUnavailable>

/** Ours. Strict: without a connection there would be nothing to measure. */
export const makeRuntime = ({ url }: Address): Effect.Effect<RedisRuntime, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() =>
      ManagedRuntime.make(Layer.provide(RedisCache.layer(), RedisClient.layerStrict({ url })))
    ),
    (runtime) => runtime.disposeEffect
  )

/** A bare connection. */
export const connect = (
  { url }: Address,
  options: RedisOptions = {}
): Effect.Effect<Redis, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const connection = new Redis(url, { ...options, lazyConnect: true })
      await connection.connect()
      return connection
    }),
    (connection) => Effect.sync(() => connection.disconnect())
  )
