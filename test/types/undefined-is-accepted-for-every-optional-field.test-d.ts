import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  type BreakerOptions,
  Cache,
  type CacheBackend,
  type CacheOptions,
  CacheRegion,
  CircuitBreaker,
  type FallbackOptions,
  type GetOrCreateOptions,
  type LeaseOptions,
  MemoryBackend,
  MemoryCache,
  NoopCache,
  SharedCache,
  type SharedCacheOptions
} from "effect-larder"

/** Every optional field, and each of them undefined: a new one has to be added here. */
type Unset<Options> = {
  readonly [Name in keyof Options as {} extends Pick<Options, Name> ? Name : never]-?: undefined
}

declare const backend: CacheBackend

const lookup: Unset<GetOrCreateOptions<number>> = {
  ttl: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  softTimeout: undefined,
  beta: undefined,
  wait: undefined,
  background: undefined,
  schema: undefined,
  refresh: undefined
}
const { schema: _, ...inRegion } = lookup
const region: Unset<CacheRegion.CacheRegionOptions<string, number, number, never, never, Cache>> = {
  ttl: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  softTimeout: undefined,
  beta: undefined,
  wait: undefined,
  background: undefined,
  key: undefined,
  error: undefined,
  errorTtl: undefined,
  version: undefined,
  cache: undefined
}
const cache: Unset<CacheOptions> = {
  name: undefined,
  prefix: undefined,
  ttl: undefined,
  staleWhileRevalidate: undefined,
  staleIfError: undefined,
  beta: undefined
}
const lease: Unset<LeaseOptions> = { duration: undefined, maxHold: undefined }
const inMemory: Unset<MemoryCache.MemoryCacheOptions> = {
  ...cache,
  capacity: undefined,
  strict: undefined
}
const server: Unset<MemoryBackend.MemoryBackendOptions> = {
  clockOffset: undefined,
  pushes: undefined,
  rules: undefined,
  clearOrder: undefined
}
const breaker: Unset<CircuitBreaker.Options> = {
  name: undefined,
  failureThreshold: undefined,
  openFor: undefined,
  successThreshold: undefined,
  isFailure: undefined
}

const ofCache: Unset<BreakerOptions> = { ...breaker, enabled: undefined }
const shared: Unset<SharedCacheOptions> = {
  ...cache,
  lease: undefined,
  codec: undefined,
  breaker: undefined
}
const fallback: Unset<FallbackOptions> = { ...shared, recovery: undefined }

const one = Effect.succeed(1)
const numbers = CacheRegion.make({ name: "n", value: Schema.Number, ...region })

export const accepted = [
  Cache.getOrCreate("k", one, lookup),
  Cache.getOrCreate("k", one, undefined),
  Cache.getOrCreate("k", one, { ...lookup, schema: Schema.Number }),
  SharedCache.getOrCreate("k", one, lookup),
  one.pipe(Cache.cached("k", lookup)),
  one.pipe(Cache.cached("k", undefined)),
  one.pipe(Cache.cached("k", { ...lookup, schema: Schema.Number })),
  Cache.set("k", 1, { ttl: undefined, schema: undefined }),
  Cache.set("k", 1, undefined),
  Cache.keys(undefined),
  numbers.getOrCreate("k", one, inRegion),
  numbers.getOrCreate("k", one, undefined),
  numbers.set("k", 1, { ttl: undefined }),
  Cache.fromBackend(backend, { ...cache, lease }),
  Cache.fromBackend(backend, { ...cache, lease: undefined }),
  MemoryCache.layer(inMemory),
  MemoryCache.layer(undefined),
  MemoryBackend.make(server),
  CircuitBreaker.make(breaker),
  CircuitBreaker.make(undefined),
  Cache.fromBackend(backend, { ...shared, breaker: ofCache }),
  Cache.withFallback(NoopCache.backend, NoopCache.backend, fallback),
  Cache.withFallback(NoopCache.backend, NoopCache.backend, undefined)
]
