/**
 * For people who write backends, and for tests that need to decide what comes
 * first, or what goes wrong.
 *
 * @module effect-larder/testing
 * @since 0.1.0
 */
/** A backend in which things go wrong at random. */
export * as ChaosBackend from "./testing/ChaosBackend.js"
/** A backend whose every command a test can hold. */
export * as ControlledBackend from "./testing/ControlledBackend.js"
export { cacheBackendConformance } from "./testing/cacheBackendConformance.js"
export { cacheConformance } from "./testing/cacheConformance.js"
export { FaultProcess, ProcessFailed } from "./testing/faults/FaultProcess.js"
export { FaultProxy } from "./testing/faults/FaultProxy.js"
export { lockConformance } from "./testing/lockConformance.js"
export { storageConformance } from "./testing/storageConformance.js"
