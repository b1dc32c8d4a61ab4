/**
 * A cache in this process: L1 alone.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ConfigError } from "effect/ConfigError"
import { Cache, type CacheOptions } from "./Cache.js"
import { CacheRecorder, type Load } from "./CacheRecorder.js"
import * as Core from "./core/cache.js"
import { cacheEnvironment } from "./core/environment.js"
import { capacity, settings } from "./core/settings.js"
import { disabled } from "./Uncached.js"

/**
 * What `MemoryCache.layer` takes besides what all caches take.
 *
 * - `capacity`: how many entries it holds; beyond that one goes that has not been
 *   used for long (SIEVE, `core/sieve.ts`); default 10,000
 * - `strict`: refuses to store what a shared backend would refuse; default false
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryCacheOptions extends CacheOptions {
  readonly capacity?: number | undefined
  readonly strict?: boolean | undefined
}

/**
 * A cache for one process. Values are kept by reference: whoever changes one
 * changes it for all. Other processes do not see what is invalidated here: what
 * must not drift asks for `SharedCache`.
 *
 * A wrong setting is a defect when the layer is built.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, MemoryCache } from "effect-larder"
 *
 * const CacheLive = MemoryCache.layer({ capacity: 50_000, ttl: "5 minutes" })
 *
 * export const program = Cache.getOrCreate("answer", Effect.succeed(42)).pipe(
 *   Effect.provide(CacheLive)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: MemoryCacheOptions = {}): Layer.Layer<Cache> =>
  Layer.scoped(
    Cache,
    Effect.suspend(() =>
      Core.make({ capacity: capacity(options.capacity) }, settings(options, options))
    )
  )

/**
 * `layer` with its options from `Config`.
 *
 * @example
 * ```ts
 * import * as Config from "effect/Config"
 * import { MemoryCache } from "effect-larder"
 *
 * export const CacheLive = MemoryCache.layerConfig({
 *   capacity: Config.withDefault(Config.integer("PRICES_CAPACITY"), 50_000),
 *   ttl: Config.duration("PRICES_TTL")
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (
  options: Config.Config.Wrap<MemoryCacheOptions>
): Layer.Layer<Cache, ConfigError> => Layer.unwrapEffect(Effect.map(Config.unwrap(options), layer))

/**
 * For tests: strict, never refreshed early, with the loads recorded.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, CacheRecorder, MemoryCache } from "effect-larder"
 *
 * const answer = Cache.getOrCreate("answer", Effect.succeed(42))
 *
 * export const program = Effect.gen(function* () {
 *   yield* answer
 *   yield* answer
 *   return yield* CacheRecorder.loads("answer") // one, though it was asked for twice
 * }).pipe(Effect.provide(MemoryCache.layerTest))
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest: Layer.Layer<Cache | CacheRecorder> = Layer.scopedContext(
  Effect.suspend(() => {
    let loads: ReadonlyArray<Load> = []
    const recorder = CacheRecorder.of({
      loads: Effect.sync(() => loads),
      reset: Effect.sync(() => {
        loads = []
      })
    })
    const onLoad = (load: Load) => {
      loads = [...loads, load]
    }
    return Effect.map(
      Core.make({ capacity: capacity(undefined) }, settings({ beta: 0 }, { strict: true, onLoad })),
      (cache) => Context.make(Cache, cache).pipe(Context.add(CacheRecorder, recorder))
    )
  })
)

/**
 * Ready to provide: `layer` with settings from the environment
 * (`LARDER_CACHE_PREFIX`, `LARDER_CACHE_DEFAULT_TTL`, `LARDER_CACHE_CAPACITY`).
 * What is wrong there is a warning, and the default holds.
 * `LARDER_CACHE_ENABLED=false` gives a cache that never hits.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, MemoryCacheLive } from "effect-larder"
 *
 * export const program = Cache.getOrCreate("answer", Effect.succeed(42)).pipe(
 *   Effect.provide(MemoryCacheLive)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const MemoryCacheLive: Layer.Layer<Cache> = Layer.unwrapEffect(
  Effect.map(cacheEnvironment, ({ enabled, ...options }): Layer.Layer<Cache> =>
    enabled ? Layer.tap(layer(options), () => initialized(capacity(options.capacity))) : disabled
  )
)

const initialized = (max_capacity: number): Effect.Effect<void> =>
  Effect.annotateLogs(Effect.logInfo("In-memory cache provider initialized"), {
    backend: "memory",
    max_capacity
  })
