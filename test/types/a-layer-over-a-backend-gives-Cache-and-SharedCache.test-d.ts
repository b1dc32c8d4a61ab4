import type * as Layer from "effect/Layer"
import { Cache, NoopCache, NoopCacheLive, type SharedCache } from "effect-larder"
import { exactly } from "./exactly.js"

exactly<ReturnType<typeof Cache.fromBackend>, Layer.Layer<Cache | SharedCache>>(true)
exactly<typeof NoopCache.layer, Layer.Layer<Cache | SharedCache>>(true)
exactly<typeof NoopCacheLive, Layer.Layer<Cache | SharedCache>>(true)
