/**
 * A cache that is none.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import type { Cache } from "./Cache.js"
import * as Noop from "./core/noop.js"
import { CacheBackend } from "./port/CacheBackend.js"
import type { SharedCache } from "./SharedCache.js"
import { uncached } from "./Uncached.js"

/**
 * Every read misses, every write succeeds, nothing is coalesced: each caller
 * runs its own creator.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, NoopCache } from "effect-larder"
 *
 * export const program = Cache.getOrCreate("answer", Effect.succeed(42)).pipe(
 *   Effect.provide(NoopCache.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Cache | SharedCache> = uncached("this is NoopCache")

/**
 * A backend that keeps nothing: what `Cache.withFallback` goes on with in the place of one
 * that is gone. Callers of one key still share one run of its creator.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { Cache, CacheBackend, MemoryBackend, NoopCache } from "effect-larder"
 *
 * const primary = Layer.effect(CacheBackend, MemoryBackend.make())
 *
 * export const CacheLive = Cache.withFallback(primary, NoopCache.backend)
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const backend: Layer.Layer<CacheBackend> = Layer.succeed(CacheBackend, Noop.backend)
