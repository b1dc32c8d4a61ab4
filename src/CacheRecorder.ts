/**
 * What a test can ask of `MemoryCache.layerTest`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/**
 * One run of a creator. `millis` is by the clock of the test.
 *
 * @since 0.1.0
 * @category models
 */
export interface Load {
  readonly key: string
  readonly outcome: "success" | "failure" | "interrupted"
  readonly millis: number
}

/**
 * Records the runs of creators, in the order in which they ended.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, CacheRecorder, MemoryCache } from "effect-larder"
 *
 * export const program = Effect.gen(function* () {
 *   yield* Cache.getOrCreate("answer", Effect.succeed(42))
 *   return yield* CacheRecorder.loads() // [{ key: "answer", outcome: "success", millis: 0 }]
 * }).pipe(Effect.provide(MemoryCache.layerTest))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class CacheRecorder extends Context.Tag("effect-larder/CacheRecorder")<
  CacheRecorder,
  {
    readonly loads: Effect.Effect<ReadonlyArray<Load>>
    readonly reset: Effect.Effect<void>
  }
>() {
  /**
   * All loads so far, or those of one key (with its region: `user:42`).
   *
   * @since 0.1.0
   */
  static readonly loads = (
    key?: string
  ): Effect.Effect<ReadonlyArray<Load>, never, CacheRecorder> =>
    Effect.map(
      Effect.flatMap(CacheRecorder, (recorder) => recorder.loads),
      (loads) => (key === undefined ? loads : loads.filter((load) => load.key === key))
    )

  /**
   * Forgets what has been recorded.
   *
   * @since 0.1.0
   */
  static readonly reset: Effect.Effect<void, never, CacheRecorder> = Effect.flatMap(
    CacheRecorder,
    (recorder) => recorder.reset
  )
}
