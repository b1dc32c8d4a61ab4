/**
 * Lasting entries in Redis, for all processes that use the same prefix.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { prefixOf } from "./core/settings.js"
import { given, storageTtl } from "./core/storageEnvironment.js"
import { StorageError } from "./port/StorageBackend.js"
import { fault, load } from "./redis/driver.js"
import { decode } from "./redis/options.js"
import { RedisClient } from "./redis/RedisClient.js"
import * as RedisStorageBackend from "./redis/RedisStorageBackend.js"
import { storageFault } from "./redis/storageFault.js"
import { Storage, type StorageOptions } from "./Storage.js"

/**
 * - `prefix`: what its keys begin with, before the colon; default `larder-store`. It must be
 *   no cache's: clearing the cache would remove the entries
 * - `ttl`: how long an entry lives whose `set` does not say; default 1 hour, which no other
 *   storage has. `Infinity`: for good
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisStorageOptions extends StorageOptions {
  readonly prefix?: string | undefined
}

const defaultPrefix = "larder-store"

/** What is kept for good in memory fills it: elsewhere there is a disk. */
const defaultTtl = Duration.hours(1)

const tellDefault = Effect.logInfo(
  "Entries of this Redis storage live for 1 hour, unless their set says otherwise. " +
    "RedisStorage.layer({ ttl }) or LARDER_STORAGE_TTL_SECONDS changes that; Infinity: for good"
)

/**
 * Lasting entries in Redis, for all processes that use the same server, database and prefix.
 *
 * An entry is one text key, `larder-store:<key>`, which the server itself expires. How well it
 * lasts is up to the server: without `appendonly yes` a crash loses what was set since the last
 * save, and with a `maxmemory-policy` other than `noeviction` it removes entries before
 * their time.
 *
 * It builds while Redis is down; what is asked of it then fails with `Unavailable`, within
 * `commandTimeout`. A wrong option is a defect when the layer is built.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { Storage } from "effect-larder"
 * import { RedisClient, RedisStorage } from "effect-larder/redis"
 *
 * const StorageLive = RedisStorage.layer({ prefix: "shop", ttl: "1 day" }).pipe(
 *   Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" }))
 * )
 *
 * export const program = Storage.set("report:42", { rows: 1_024 }).pipe(
 *   Effect.provide(StorageLive)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  options: RedisStorageOptions = {}
): Layer.Layer<Storage, never, RedisClient> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const prefix = prefixOf(options.prefix ?? defaultPrefix)
      const backend = RedisStorageBackend.make(yield* RedisClient, prefix)
      if (options.ttl === undefined) yield* tellDefault
      return Storage.fromBackend(backend, { ttl: options.ttl ?? defaultTtl })
    })
  )

/**
 * `layer` with its options from `Config`.
 *
 * @example
 * ```ts
 * import * as Config from "effect/Config"
 * import * as Layer from "effect/Layer"
 * import { RedisClient, RedisStorage } from "effect-larder/redis"
 *
 * export const StorageLive = RedisStorage.layerConfig({
 *   prefix: Config.string("RESULTS_PREFIX"),
 *   ttl: Config.duration("RESULTS_TTL")
 * }).pipe(Layer.provide(RedisClient.layerConfig({ url: Config.string("RESULTS_REDIS_URL") })))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<RedisStorageOptions>
): Layer.Layer<Storage, ConfigError, RedisClient> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

const storageUrl: Config.Config<string | undefined> = Config.map(
  Config.all([given("LARDER_STORAGE_REDIS_URL"), given("REDIS_URL")]),
  ([own, shared]) => own ?? shared
)

const failed =
  (reason: StorageError["reason"]) =>
  (error: unknown): StorageError => {
    const detail = error instanceof Error ? error.message : "unknown error"
    return new StorageError({
      backend: "redis",
      operation: "connect",
      reason,
      detail,
      cause: error
    })
  }

/** A wrong address is no other than the one that was meant. */
const connected = (address: string | undefined): Layer.Layer<RedisClient, StorageError> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const { address: name, ...limits } = yield* Effect.try({
        try: () => decode({ url: address }),
        catch: failed("UnsupportedUrl")
      })
      yield* Effect.catchAllDefect(load, (error) => Effect.fail(failed("MissingDriver")(error)))
      return Layer.catchAll(RedisClient.layerStrict({ url: address }), ({ cause }) =>
        Layer.fail(storageFault({ address: name, limits }, "connect", fault("connect", cause)))
      )
    })
  )

/**
 * Ready to provide: the Redis server at `LARDER_STORAGE_REDIS_URL` or else `REDIS_URL`, or else
 * `redis://localhost:6379`; entries live for `LARDER_STORAGE_TTL_SECONDS`, or else 1 hour.
 *
 * A storage that is not there is no storage: where the address is wrong it fails with
 * `UnsupportedUrl`, and where nobody answers with `Unavailable`. Once it has been built, an
 * outage is for those who ask it.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Storage } from "effect-larder"
 * import { RedisStorageLive } from "effect-larder/redis"
 *
 * export const program = Storage.get("report:42").pipe(Effect.provide(RedisStorageLive))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const RedisStorageLive: Layer.Layer<Storage, ConfigError | StorageError> =
  Layer.unwrapEffect(
    Effect.map(Config.all([storageUrl, storageTtl]), ([url, ttl]) =>
      Layer.provide(layer({ ttl }), connected(url))
    )
  )
