/**
 * Locks in Redis, for all processes that use the same prefix.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DistributedLock } from "./DistributedLock.js"
import { prefixOf } from "./core/settings.js"
import { RedisClient } from "./redis/RedisClient.js"
import * as RedisLockBackend from "./redis/RedisLockBackend.js"

/**
 * - `prefix`: what its keys begin with; default `larder`. Locks and cache entries of
 *   one prefix do not meet
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisLockOptions {
  readonly prefix?: string | undefined
}

/**
 * `layer` with options. A wrong one is a defect when the layer is built.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { RedisClient, RedisLock } from "effect-larder/redis"
 *
 * export const LockLive = RedisLock.layerWith({ prefix: "shop" }).pipe(
 *   Layer.provide(RedisClient.layer())
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerWith = (
  options: RedisLockOptions
): Layer.Layer<DistributedLock, never, RedisClient> =>
  Layer.unwrapEffect(
    Effect.map(RedisClient, (client) =>
      DistributedLock.fromBackend(RedisLockBackend.make(client, prefixOf(options.prefix)))
    )
  )

/**
 * Locks in Redis, for all processes with the same server and database. It builds
 * while Redis is down; asking for a lock then fails with `LockUnavailable`.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { DistributedLock } from "effect-larder"
 * import { RedisClient, RedisLock } from "effect-larder/redis"
 *
 * const LockLive = RedisLock.layer.pipe(Layer.provide(RedisClient.layer()))
 *
 * export const program = Effect.log("one process does this at a time").pipe(
 *   DistributedLock.withLock("nightly"),
 *   Effect.provide(LockLive)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DistributedLock, never, RedisClient> = layerWith({})

/**
 * `layer` with its options from `Config`.
 *
 * @example
 * ```ts
 * import * as Config from "effect/Config"
 * import * as Layer from "effect/Layer"
 * import { RedisClient, RedisLock } from "effect-larder/redis"
 *
 * export const LockLive = RedisLock.layerConfig({
 *   prefix: Config.string("LOCK_PREFIX")
 * }).pipe(Layer.provide(RedisClient.layer()))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<RedisLockOptions>
): Layer.Layer<DistributedLock, ConfigError, RedisClient> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layerWith))
