/** Storages over real servers, for suites. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import type { Cache, Storage } from "effect-larder"
import { RedisCache, RedisClient, type RedisClientOptions, RedisStorage } from "effect-larder/redis"

type Run<R> = <A, E>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E>

/** Runs what asks a storage, as a process of its own would. */
export const startStorage = (
  settings: RedisClientOptions,
  options: RedisStorage.RedisStorageOptions = {}
): Effect.Effect<Run<Storage>, never, Scope.Scope> => running(RedisClient.layer(settings), options)

/** The same, over a client that is there. */
export const startStorageOn = (
  client: Context.Tag.Service<RedisClient>
): Effect.Effect<Run<Storage>, never, Scope.Scope> =>
  running(Layer.succeed(RedisClient, client), {})

const running = (
  client: Layer.Layer<RedisClient>,
  options: RedisStorage.RedisStorageOptions
): Effect.Effect<Run<Storage>, never, Scope.Scope> =>
  Effect.map(
    Layer.build(
      RedisStorage.layer(options).pipe(
        Layer.provide(client),
        Layer.provide(Logger.minimumLogLevel(LogLevel.None))
      )
    ),
    (context): Run<Storage> =>
      (effect) =>
        Effect.provide(effect, context)
  )

/** A cache with the default prefix, likewise. */
export const startCacheOn = (
  settings: RedisClientOptions
): Effect.Effect<Run<Cache>, never, Scope.Scope> =>
  Effect.map(
    Layer.build(RedisCache.layer({ beta: 0 }).pipe(Layer.provide(RedisClient.layer(settings)))),
    (context): Run<Cache> =>
      (effect) =>
        Effect.provide(effect, context)
  )
