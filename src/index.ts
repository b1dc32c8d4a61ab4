/**
 * Caching for Effect programs that cannot be stampeded: everything that needs no
 * driver.
 *
 * @module effect-larder
 * @since 0.1.0
 */
export {
  type BreakerOptions,
  Cache,
  type CacheCodec,
  type CacheCounters,
  type CacheEvent,
  type CacheHealth,
  type CacheOptions,
  type CacheStats,
  type EntryInfo,
  type FallbackOptions,
  type GetOrCreateOptions,
  type LeaseOptions,
  type SharedCacheOptions
} from "./Cache.js"
export { CacheRecorder, type Load } from "./CacheRecorder.js"
/** A typed part of a cache. */
export * as CacheRegion from "./CacheRegion.js"
/** Fails fast where calls keep failing. */
export * as CircuitBreaker from "./CircuitBreaker.js"
export { CircuitOpen } from "./core/circuitOpen.js"
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
/** Lasting entries in this process. */
export * as MemoryStorage from "./memoryStorage.js"
export { MemoryStorageLive } from "./memoryStorage.js"
/** A cache that is none. */
export * as NoopCache from "./NoopCache.js"
export { layer as NoopCacheLive } from "./NoopCache.js"
export {
  BackendError,
  type BackendStatus,
  CacheBackend,
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
export {
  type Search,
  type StorageBackend,
  StorageError,
  type Stored,
  type Writing
} from "./port/StorageBackend.js"
export { SharedCache } from "./SharedCache.js"
export {
  type CleanupOptions,
  Storage,
  type StorageOptions,
  type StorageSetOptions,
  type StorageView,
  type StorageViewOptions
} from "./Storage.js"
export { StorageEntry } from "./core/storageEntry.js"
