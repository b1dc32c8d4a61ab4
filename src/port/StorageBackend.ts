/**
 * What a store of lasting entries does: the port that memory, SQL and Redis implement.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"

/**
 * Why an operation of a storage failed.
 *
 * - `InvalidTtl`: a time to live of zero or less, or none at all
 * - `InvalidValue`: the value or its metadata cannot be encoded as they are
 * - `Undecodable`: what is stored is not what its reader expects; it is left as it is
 * - `Timeout`: no reply in time; whether it was executed is unknown
 * - `Unavailable`: no connection, or it broke; likewise unknown
 * - `Denied`: the server knows neither user nor password, or lets them do nothing
 * - `ReadOnly`, `Full`: nothing can be written, or no more
 * - `WrongTable`: the table is there, and is not ours
 * - `MissingDriver`: a package is not installed, or was not built
 * - `UnsupportedUrl`: no address that this storage understands
 * - `Refused`: the store answered with another error; nothing was executed
 *
 * @since 0.1.0
 * @category errors
 */
const StorageErrorReason = Schema.Literal(
  "InvalidTtl",
  "InvalidValue",
  "Undecodable",
  "Timeout",
  "Unavailable",
  "Denied",
  "ReadOnly",
  "Full",
  "WrongTable",
  "MissingDriver",
  "UnsupportedUrl",
  "Refused"
)

/**
 * An operation of a storage failed. `detail` says of what, and what to do.
 *
 * @since 0.1.0
 * @category errors
 */
export class StorageError extends Schema.TaggedError<StorageError>("effect-larder/StorageError")(
  "StorageError",
  {
    backend: Schema.String,
    operation: Schema.String,
    reason: StorageErrorReason,
    /** Neither values nor secrets: it is logged. */
    detail: Schema.String,
    cause: Schema.optional(Schema.Defect)
  }
) {
  override get message(): string {
    return `${this.backend}: ${this.operation} failed (${this.reason}): ${this.detail}`
  }
}

/**
 * An entry to be written, in the place of whatever has its key.
 *
 * @since 0.1.0
 * @category models
 */
export interface Writing {
  /** Any text: empty, a megabyte of it, control characters, half a surrogate pair. */
  readonly key: string
  /** Text without NUL; to be given back as it is. */
  readonly value: string
  /** Likewise. */
  readonly metadata: string
  /** A whole number from 0 up. */
  readonly version: number
  /** Milliseconds, at least one, whole; `Infinity`: it does not expire. */
  readonly ttl: number
}

/**
 * An entry as it is stored.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stored extends Omit<Writing, "ttl"> {
  /** When it was written, by the store's own clock: milliseconds since 1970. */
  readonly createdAt: number
  /** Likewise; `Infinity`: never. */
  readonly expiresAt: number
}

/**
 * Which entries are looked for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Search {
  /** All keys that are looked for begin with this. */
  readonly start: string
  /** A glob pattern of Redis's dialect. More than it matches may be given: the core looks again. */
  readonly pattern: string
}

/**
 * A store of lasting entries.
 *
 * Keys are compared byte by byte: case, spaces at the end and ways to write an accent count.
 * An entry whose time has come, by the clock of the store, is there no more, whether
 * or not it has been removed. What is asked for together is unique, and at least one. Each
 * operation settles by itself within a time that the backend bounds.
 *
 * `storageConformance` in `effect-larder/testing` holds a backend to this.
 *
 * @since 0.1.0
 * @category models
 */
export interface StorageBackend {
  readonly name: string
  /** One answer a key, in order. What has expired is removed when it is met. */
  readonly getMany: (
    keys: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Stored | undefined>, StorageError>
  /** All or none; on a cluster, all or none of those in one slot. */
  readonly setMany: (entries: ReadonlyArray<Writing>) => Effect.Effect<void, StorageError>
  /** How many were there. */
  readonly deleteMany: (keys: ReadonlyArray<string>) => Effect.Effect<number, StorageError>
  readonly exists: (key: string) => Effect.Effect<boolean, StorageError>
  /** In pages; order unspecified, and a key may come twice. What is there all along comes. */
  readonly keys: (search: Search) => Stream.Stream<string, StorageError>
  /** Likewise. */
  readonly entries: (search: Search) => Stream.Stream<Stored, StorageError>
  /**
   * Removes what has expired, and, of what does not expire, what was written more than
   * `olderThan` milliseconds ago, if that is given. Says how many it has removed.
   */
  readonly cleanup: (olderThan: number | undefined) => Effect.Effect<number, StorageError>
}
