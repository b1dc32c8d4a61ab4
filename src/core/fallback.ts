/**
 * A cache over a backend that may be gone, or yet to come: what is put in its place
 * meanwhile is another backend. Single-flight stays, whichever it is.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { CacheBackend } from "../port/CacheBackend.js"
import * as Core from "./cache.js"
import type { CacheCodec } from "./codec.js"
import { guarded } from "./guard.js"
import * as Late from "./late.js"
import { fullKey } from "./path.js"
import { wrong } from "./option.js"
import type { Service } from "./service.js"
import { settings as check, type SharedCacheOptions } from "./settings.js"
import { standingBy, usedInOutages, whileUsed } from "./standby.js"

/**
 * Settings of a cache with a fallback.
 *
 * - `recovery`: when to try again to build a backend that could not be built; default
 *   after 1 second, then at intervals that grow to 15 seconds, with jitter. At most ten
 *   times a second, whatever it says; when it ends, the backend is given up
 *
 * @since 0.1.0
 * @category models
 */
export interface FallbackOptions extends SharedCacheOptions {
  readonly recovery?: Schedule.Schedule<unknown> | undefined
}

const defaultRecovery = Schedule.exponential("1 second").pipe(
  Schedule.union(Schedule.spaced("15 seconds")),
  Schedule.jittered
)

export const make = <E, R, E2, R2>(
  primary: Layer.Layer<CacheBackend, E, R>,
  fallback: Layer.Layer<CacheBackend, E2, R2>,
  { recovery = defaultRecovery, ...options }: FallbackOptions
): Effect.Effect<Service, E2, R | R2 | Scope.Scope> =>
  Effect.gen(function* () {
    const settings = check(options, options)
    if (!Schedule.isSchedule(recovery)) {
      throw wrong("recovery", recovery, 'a schedule: Schedule.spaced("5 seconds")')
    }
    const backend = yield* Late.build(Layer.tap(primary, suits(settings.codec)), recovery)
    const built = yield* Layer.build(Layer.tap(fallback, suits(settings.codec)))
    const other = guarded(Context.get(built, CacheBackend))
    const path = yield* Core.makePath({ backend }, settings)
    const service = yield* Core.serve(path)
    const breaker = path.l2?.breaker
    if (breaker === undefined || other.capabilities.keeps === false) return service
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const emptying = other.capabilities.scan ? other.clear(fullKey(path, "")) : Effect.fail("never")
    const isUsed = usedInOutages(breaker, emptying, (it) => void run(Effect.forkIn(it, path.scope)))
    const standby = yield* Core.make(
      { backend: whileUsed(other, isUsed) },
      { ...settings, breaker: undefined }
    )
    return standingBy(service, standby, isUsed)
  })

/** A wrong setting in code. */
const suits =
  (codec: CacheCodec | undefined) =>
  (built: Context.Context<CacheBackend>): Effect.Effect<void> =>
    Effect.sync(() => {
      const { capabilities, name } = Context.get(built, CacheBackend)
      if (codec === undefined || capabilities.bytes) return
      throw new Error(
        `effect-larder: a codec is given, but the backend ${name} keeps text alone: ` +
          "leave the codec out, or take a backend that keeps bytes"
      )
    })
