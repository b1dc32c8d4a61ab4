import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import type * as Layer from "effect/Layer"
import {
  type Cache,
  type CacheRecorder,
  MemoryCache,
  MemoryCacheLive,
  type SharedCache
} from "effect-larder"
import { exactly } from "./exactly.js"

const configured = MemoryCache.layerConfig({ ttl: Config.duration("TTL") })

exactly<ReturnType<typeof MemoryCache.layer>, Layer.Layer<Cache>>(true)
exactly<typeof MemoryCacheLive, Layer.Layer<Cache>>(true)
exactly<typeof MemoryCache.layerTest, Layer.Layer<Cache | CacheRecorder>>(true)
exactly<typeof configured, Layer.Layer<Cache, ConfigError.ConfigError>>(true)

// @ts-expect-error -- other instances do not see it
export const shared: Layer.Layer<SharedCache> = MemoryCache.layer()
