/**
 * Caching for Effect programs that cannot be stampeded: everything that needs no
 * driver.
 *
 * @module effect-larder
 * @since 0.1.0
 */
export {
  Cache,
  type CacheCodec,
  type CacheCounters,
  type CacheEvent,
  type CacheHealth,
  type CacheOptions,
  type CacheStats,
  type EntryInfo,
  type GetOrCreateOptions,
  type LeaseOptions,
  type SharedCacheOptions
} from "./Cache.js"
export { CacheRecorder, type Load } from "./CacheRecorder.js"
/** A typed part of a cache. */
export * as CacheRegion from "./CacheRegion.js"
export {
  DistributedLock,
  type Held,
  type LockOptions,
  type WaitOptions
} from "./DistributedLock.js"
/** The rules that a backend keeps, as pure functions. */
export * as Lease from "./policy/lease.js"
/** A shared backend in memory: a server without a socket. */
export * as MemoryBackend from "./memory/MemoryBackend.js"
/** A cache in this process. */
export * as MemoryCache from "./memory.js"
export { MemoryCacheLive } from "./memory.js"
/** Locks in this process. */
export * as MemoryLock from "./memoryLock.js"
/** A cache that is none. */
export * as NoopCache from "./NoopCache.js"
export { layer as NoopCacheLive } from "./NoopCache.js"
export {
  BackendError,
  type CacheBackend,
  type Capabilities,
  type Encoded,
  type LeaseHolder,
  type LeaseReply,
  type LeaseRequest,
  type Push,
  type Signal
} from "./port/CacheBackend.js"
export {
  type LockBackend,
  LockLost,
  type LockReply,
  type LockRequest,
  LockTimeout,
  LockUnavailable
} from "./port/LockBackend.js"
export { SharedCache } from "./SharedCache.js"
