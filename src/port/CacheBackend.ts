/**
 * What a shared cache backend does: the port that Redis, Memcached and your own
 * store implement, and the only thing the core knows of them.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { Encoded } from "../policy/envelope.js"
import type { LeaseReply, LeaseRequest } from "../policy/lease.js"

export type { Encoded } from "../policy/envelope.js"
export type { LeaseReply, LeaseRequest } from "../policy/lease.js"

/**
 * Why a command did not succeed.
 *
 * - `Timeout`: no reply in time; whether the server executed it is unknown
 * - `Unavailable`: no connection, or it broke; likewise unknown
 * - `Refused`: the server answered with an error; nothing was executed
 * - `Late`: the command arrived after its deadline and did nothing
 * - `CircuitOpen`: it was not sent, for too many before it have failed
 *
 * @since 0.1.0
 * @category errors
 */
const BackendErrorReason = Schema.Literal(
  "Timeout",
  "Unavailable",
  "Refused",
  "Late",
  "CircuitOpen"
)

/**
 * A command of a backend failed. It never reaches a caller of `Cache`: the core
 * counts it, logs it with a rate limit, and goes on without the backend.
 *
 * @since 0.1.0
 * @category errors
 */
export class BackendError extends Schema.TaggedError<BackendError>("effect-larder/BackendError")(
  "BackendError",
  {
    backend: Schema.String,
    command: Schema.String,
    reason: BackendErrorReason,
    cause: Schema.optional(Schema.Defect)
  }
) {
  /** With what the cause says, which is logged: it must hold neither values nor secrets. */
  override get message(): string {
    const why = this.cause instanceof Error ? `: ${this.cause.message}` : ""
    return `${this.backend}: ${this.command} failed (${this.reason}${why})`
  }
}

/**
 * What a backend can do. The core asks for these instead of asking what the
 * backend is.
 *
 * @since 0.1.0
 * @category models
 */
export interface Capabilities {
  /** `subscribe` delivers what other processes push. Without it, waiters poll. */
  readonly pushes: boolean
  /** `keys` lists and `clear` deletes. Without it, `Cache.clear` warns, and entries live on. */
  readonly scan: boolean
  /** Values may be bytes. Without it they are text, and a codec of the user's own has no place. */
  readonly bytes: boolean
  /** The shortest life it can give an entry, in milliseconds. */
  readonly shortestTtl: number
  /** False: it keeps nothing, so that nothing is asked of it. Left out: it does. */
  readonly keeps?: boolean | undefined
}

/**
 * How a backend sees its own server, for operators.
 *
 * @since 0.1.0
 * @category models
 */
export interface BackendStatus {
  /** Where the server is, without user or password. */
  readonly address: string
  /** Could a command be sent now? */
  readonly isReachable: boolean
  /** Why it could not, if that is known: neither values nor secrets. */
  readonly reason?: string | undefined
  /** Nothing will make it reachable but a new start of the program. Left out: something may. */
  readonly isGivenUp?: boolean | undefined
}

/**
 * A message that says "look again". It carries no value.
 *
 * - `stored`: the lease `token` ended with a commit
 * - `ended`: the lease `token` ended without a usable value
 * - `written`: `key` was set or invalidated; `token` is the lease that revoked,
 *   or the empty string
 * - `cleared`: everything whose key begins with `key` was removed
 *
 * @since 0.1.0
 * @category models
 */
export interface Push {
  readonly _tag: "Push"
  readonly key: string
  readonly token: string
  readonly reason: "stored" | "ended" | "written" | "cleared"
}

/**
 * What a subscription reports. `Subscribed` comes whenever it is confirmed,
 * again after each loss; between `Lost` and the next `Subscribed`, pushes may
 * have gone unheard.
 *
 * @since 0.1.0
 * @category models
 */
export type Signal = Push | { readonly _tag: "Subscribed" } | { readonly _tag: "Lost" }

/**
 * Who holds the lease of a key, for how many more milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface LeaseHolder {
  readonly token: string
  readonly remaining: number
}

/**
 * A store that several processes share.
 *
 * Keys are whole keys (`larder:user:42`); a key's prefix is what stands before
 * its first colon. Durations are milliseconds, and may be `Infinity` for
 * `keepFor`. Every command settles by itself within a time that the backend
 * bounds: the core sets no timers around it. A command whose fiber is
 * interrupted may have been executed, or may be yet.
 *
 * `lease`, `renew`, `commit`, `release`, `set` and `invalidate` are atomic and
 * follow the transitions of `policy/lease.ts`; `cacheBackendConformance` in
 * `effect-larder/testing` holds a backend to them.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheBackend {
  readonly name: string
  readonly capabilities: Capabilities
  /** Asks nobody: what is known of the server at the moment. */
  readonly status?: (() => BackendStatus) | undefined
  /**
   * The server's time in milliseconds, reckoned from this process's: from the
   * nanoseconds of Effect's `Clock`, which are monotonic, divided by a million.
   * With both on one machine, that is `(monotonic) => monotonic`.
   */
  readonly serverTime: (monotonic: number) => number
  /**
   * Which keys can be read together: those of which this says the same. Left out: all can.
   * What is read together fails together, so keys of several servers are of several groups.
   */
  readonly groupOf?: ((key: string) => unknown) | undefined
  /**
   * One answer a key, in order; the keys are of one group. A stranger's value is handed
   * over as it is, or as a miss.
   */
  readonly getMany: (
    keys: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Encoded | undefined>, BackendError>
  /** Reads and asks for the lease in one step. */
  readonly lease: (key: string, request: LeaseRequest) => Effect.Effect<LeaseReply, BackendError>
  /** Prolongs a lease that is still ours; `false`: it is not. Never creates one. */
  readonly renew: (
    key: string,
    token: string,
    duration: number
  ) => Effect.Effect<boolean, BackendError>
  /** Stores if the lease is still ours, and gives it back; `false`: refused. */
  readonly commit: (
    key: string,
    token: string,
    stored: Encoded,
    keepFor: number
  ) => Effect.Effect<boolean, BackendError>
  /** Gives a lease back without a value, if it is still ours. */
  readonly release: (key: string, token: string) => Effect.Effect<boolean, BackendError>
  /** Stores and revokes the lease. Must do nothing when it arrives after its own deadline. */
  readonly set: (key: string, stored: Encoded, keepFor: number) => Effect.Effect<void, BackendError>
  /**
   * Removes and revokes the lease; `true`: an entry was there. Once it has succeeded, no
   * `set` of this process that began before it stores any more: neither one that failed nor
   * one whose fiber was interrupted.
   */
  readonly invalidate: (key: string) => Effect.Effect<boolean, BackendError>
  /**
   * Removes all keys that begin with `start`: first their leases, then their values. As
   * `invalidate`, it outlasts what this process has begun to `set` before it.
   */
  readonly clear: (start: string) => Effect.Effect<void, BackendError>
  /** The keys of live entries that begin with `start`; order unspecified, a key may come twice. */
  readonly keys: (start: string) => Stream.Stream<string, BackendError>
  readonly holder: (key: string) => Effect.Effect<Option.Option<LeaseHolder>, BackendError>
  /**
   * Reports what happens to the keys of `prefix` until the scope closes. Returns
   * once the subscription is confirmed, or at once when that takes its time.
   * The handler is synchronous and does not throw.
   */
  readonly subscribe: (
    prefix: string,
    handler: (signal: Signal) => void
  ) => Effect.Effect<void, BackendError, Scope.Scope>
}

/**
 * The tag of the port, for layers that give a backend: what `Cache.withFallback` takes.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { CacheBackend, MemoryBackend } from "effect-larder"
 *
 * export const BackendLive = Layer.effect(CacheBackend, MemoryBackend.make())
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export const CacheBackend: Context.Tag<CacheBackend, CacheBackend> =
  Context.GenericTag<CacheBackend>("effect-larder/CacheBackend")
