/** What a cache does for the faces: the service behind `Cache` and `SharedCache`. */
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import type { CircuitState } from "../policy/circuit.js"
import type { CacheCounters } from "./counters.js"
import type { CacheEvent } from "./events.js"
import type { AnySchema } from "./path.js"
import type { LookupOptions, Region } from "./request.js"
import type { SetOptions } from "./write.js"

/**
 * The counts of a cache, and what it holds.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheStats extends CacheCounters {
  readonly size: number
  /** At most 1,000 keys; `truncated` says that there are more. */
  readonly keys: ReadonlyArray<string>
  readonly truncated: boolean
}

/**
 * How a cache is doing, for operators.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheHealth {
  /** The backend is there and is used, and has confirmed all that was invalidated. */
  readonly healthy: boolean
  readonly backend: string
  /** Where it is, without user or password; none if it is nowhere but here. */
  readonly address: Option.Option<string>
  /** Could a command be sent to it now, as far as is known without asking? */
  readonly reachable: boolean
  readonly circuit: CircuitState
  /** Since when the circuit has been so. */
  readonly since: DateTime.Utc
  /** What is wrong, what it means, and what to do; or why nothing is cached; none if all is well. */
  readonly reason: Option.Option<string>
  readonly pendingInvalidations: number
  /** What the backend failed with last, and when by this process's clock: also long ago. */
  readonly lastError: Option.Option<{ readonly at: DateTime.Utc; readonly message: string }>
}

/**
 * One entry as an operator sees it.
 *
 * @since 0.1.0
 * @category models
 */
export interface EntryInfo {
  readonly key: string
  readonly form: "memory" | "shared"
  readonly kind: "value" | "failure"
  readonly freshness: "fresh" | "stale"
  readonly age: Duration.Duration
  /** Until it expires; infinite if it never does; zero if it is stale. */
  readonly timeToLive: Duration.Duration
  /** How long its creator took, as early refresh reckons it. */
  readonly delta: Duration.Duration
  readonly version: number
  /** Of its stored form, in bytes or UTF-16 units; none in memory. */
  readonly size: Option.Option<number>
  /** The token of the process that rebuilds it now, and how long it keeps the lease. */
  readonly lease: Option.Option<{ readonly token: string; readonly remaining: Duration.Duration }>
}

/**
 * The service behind `Cache` and `SharedCache`. Keys have their region in front.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Does every process see what this one stores (or is nothing stored at all)? */
  readonly isShared: boolean
  /** The hot path: it is handed the fiber, so that a hit is one node. */
  readonly lookup: (
    fiber: Fiber.RuntimeFiber<any, any>,
    region: Region,
    key: string,
    create: Effect.Effect<any, any, any>,
    options: LookupOptions<any>
  ) => Effect.Effect<any, any>
  readonly get: (
    region: Region,
    key: string,
    schema: AnySchema | undefined
  ) => Effect.Effect<Option.Option<any>>
  readonly set: (
    region: Region,
    key: string,
    value: unknown,
    options: SetOptions
  ) => Effect.Effect<void>
  readonly invalidate: (key: string) => Effect.Effect<boolean>
  /** Clears what begins with `start`: a region, or all with the empty string. */
  readonly clear: (start: string) => Effect.Effect<void>
  readonly keys: (pattern: string) => Stream.Stream<string>
  readonly inspect: (key: string) => Effect.Effect<Option.Option<EntryInfo>>
  readonly events: Stream.Stream<CacheEvent>
  readonly stats: Effect.Effect<CacheStats>
  /** Of one region, or of all. */
  readonly counters: (region: Region | undefined) => Effect.Effect<CacheCounters>
  readonly health: Effect.Effect<CacheHealth>
}
