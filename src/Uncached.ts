/** Layers of a cache that is none. Its health says why. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cache } from "./Cache.js"
import * as Noop from "./core/noop.js"
import { SharedCache } from "./SharedCache.js"

export const uncached = (reason: string): Layer.Layer<Cache | SharedCache> =>
  Layer.effectContext(
    Effect.map(Noop.make(reason), (service) =>
      Context.make(Cache, service).pipe(Context.add(SharedCache, service))
    )
  )

/** In the place of a cache that the environment switches off. */
export const disabled: Layer.Layer<Cache | SharedCache> = Layer.tap(
  uncached("LARDER_CACHE_ENABLED is false"),
  () => Effect.logInfo("Distributed cache disabled by configuration")
)
