/**
 * For people who write backends, and for tests that need to decide what comes
 * first.
 *
 * @module effect-larder/testing
 * @since 0.1.0
 */
/** A backend whose every command a test can hold. */
export * as ControlledBackend from "./testing/ControlledBackend.js"
export { cacheBackendConformance } from "./testing/cacheBackendConformance.js"
export { cacheConformance } from "./testing/cacheConformance.js"
export { lockConformance } from "./testing/lockConformance.js"
