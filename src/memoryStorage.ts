/**
 * A storage in this process, for tests and for what need not last.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemoryStorageBackend from "./memory/MemoryStorageBackend.js"
import { Storage, type StorageOptions } from "./Storage.js"

/**
 * Entries in this process: they last as long as it does. Each build of this layer has entries
 * of its own. Expiry is by Effect's `Clock`: with `TestClock`, entries expire when it is told to.
 *
 * A wrong ttl is a defect when the layer is built.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { MemoryStorage, Storage } from "effect-larder"
 *
 * const program = Effect.zipRight(Storage.set("answer", 42), Storage.get("answer"))
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryStorage.layer({ ttl: "1 hour" }))))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: StorageOptions = {}): Layer.Layer<Storage> =>
  Layer.unwrapEffect(
    Effect.map(MemoryStorageBackend.make, (backend) => Storage.fromBackend(backend, options))
  )

/**
 * `layer` with its options from `Config`.
 *
 * @example
 * ```ts
 * import * as Config from "effect/Config"
 * import { MemoryStorage } from "effect-larder"
 *
 * export const StorageLive = MemoryStorage.layerConfig({ ttl: Config.duration("RESULTS_TTL") })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<StorageOptions>
): Layer.Layer<Storage, ConfigError> =>
  Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/**
 * Ready to provide: in this process, for good.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { MemoryStorageLive, Storage } from "effect-larder"
 *
 * const program = Storage.set("last-run", new Date().toISOString())
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryStorageLive)))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const MemoryStorageLive: Layer.Layer<Storage> = layer()
