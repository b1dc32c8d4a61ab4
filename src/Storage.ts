/**
 * Lasting entries.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import { millis, wrong } from "./core/option.js"
import { type Accessors, accessors } from "./core/storageAccessors.js"
import type * as Core from "./core/storage.js"
import { kindOf, plain, type StorageViewOptions } from "./core/storageView.js"
import { type CleanupOptions, cleanup, sweep } from "./core/sweeping.js"
import type { StorageBackend, StorageError } from "./port/StorageBackend.js"

export type { StorageViewOptions } from "./core/storageView.js"
export type { StorageSetOptions } from "./core/storing.js"
export type { CleanupOptions } from "./core/sweeping.js"

/**
 * What all storages take.
 *
 * - `ttl`: how long an entry lives whose `set` does not say; unset or `Infinity`: for good
 *
 * @since 0.1.0
 * @category models
 */
export interface StorageOptions {
  readonly ttl?: Duration.DurationInput | undefined
}

/**
 * The functions of a storage, with values of one kind.
 *
 * @since 0.1.0
 * @category models
 */
export type StorageView<A, R = never> = Accessors<A, Storage, R>

/**
 * Lasting entries: they survive the process, and can be found again. The same on all
 * stores: memory, SQLite, PostgreSQL, MySQL and Redis.
 *
 * A value is kept as JSON. What JSON would change or lose is refused with `StorageError`, whose
 * `reason` is then `InvalidValue`; `Storage.view` takes a schema, and any value that it
 * encodes. Unlike a cache, a storage does not hide it when its store is down.
 *
 * Any text is a key, and keys are compared byte by byte.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { MemoryStorage, Storage } from "effect-larder"
 *
 * const program = Effect.gen(function* () {
 *   yield* Storage.set("report:42", { rows: 1_024 }, { ttl: "1 day", metadata: { by: "nightly" } })
 *   return yield* Storage.keys("report:*")
 * })
 *
 * Effect.runPromise(program.pipe(Effect.provide(MemoryStorage.layer())))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class Storage extends Context.Tag("effect-larder/Storage")<Storage, Core.Service>() {
  private static readonly all: Accessors<unknown, Storage, never> = accessors(this, plain)

  /**
   * The value at a key, unless there is none or it has expired. Its type is what the reader
   * expects it to be: `Storage.view` checks.
   *
   * @since 0.1.0
   */
  static readonly get = this.all.get

  /**
   * The entry at a key: its value, its metadata, and its times by the store's clock.
   *
   * @since 0.1.0
   */
  static readonly getEntry = this.all.getEntry

  /**
   * Sets the value at a key, in the place of what is there: value, metadata, ttl and time
   * of creation. A ttl of zero or less fails with `InvalidTtl`.
   *
   * After `Timeout` or `Unavailable` it may have been set, or not.
   *
   * @since 0.1.0
   */
  static readonly set = this.all.set

  /**
   * Removes an entry; `true`: it was there.
   *
   * @since 0.1.0
   */
  static readonly delete = this.all.delete

  /**
   * Is there an entry that has not expired?
   *
   * @since 0.1.0
   */
  static readonly exists = this.all.exists

  /**
   * The keys that match a glob pattern (Redis's dialect: `*`, `?`, `[abc]`, `[a-c]`,
   * `[^a]`, `\`), distinct and sorted by code unit. All of them are in memory at once:
   * `keysStream` takes them in pages.
   *
   * @since 0.1.0
   */
  static readonly keys = this.all.keys

  /**
   * The keys that match a pattern, in pages. Their order is not specified, and in Redis a
   * key may come twice. Those that are there from its beginning to its end all come. Those set
   * meanwhile may: in SQL, who sets another one for each that comes may never see the end.
   *
   * @since 0.1.0
   */
  static readonly keysStream = this.all.keysStream

  /**
   * The entries whose keys match a pattern, in pages, as `keysStream`.
   *
   * @since 0.1.0
   */
  static readonly entries = this.all.entries

  /**
   * The values at several keys, in their order, in one round trip; in Redis a second one says
   * whether what is missing is really nothing.
   *
   * @since 0.1.0
   */
  static readonly getMany = this.all.getMany

  /**
   * Sets several values in one transaction; on a Redis Cluster, in one a slot. Of
   * several values for one key, the last one is set.
   *
   * @since 0.1.0
   */
  static readonly setMany = this.all.setMany

  /**
   * Removes several entries in one round trip, and says how many were there.
   *
   * @since 0.1.0
   */
  static readonly deleteMany = this.all.deleteMany

  /**
   * Removes what has expired, and says how many entries it has removed. What does not
   * expire is left alone, unless `olderThan` is given.
   *
   * Nobody ever meets an expired entry: this gives its room back. In Redis the server does
   * that by itself, and zero is what there is to say.
   *
   * @since 0.1.0
   */
  static readonly cleanup = (
    options: CleanupOptions = {}
  ): Effect.Effect<number, StorageError, Storage> =>
    Effect.flatMap(Storage, (storage) => cleanup(storage, options))

  /**
   * A typed part of a storage: values of one schema, under keys with one prefix.
   *
   * With another `version` goes another schema: what earlier ones have written is read
   * through `migrations`, and left as it is until it is set again. What no migration leads
   * from, or the schema does not decode, fails with `Undecodable`: it is not taken for missing.
   *
   * @example
   * ```ts
   * import * as Effect from "effect/Effect"
   * import * as Option from "effect/Option"
   * import * as Schema from "effect/Schema"
   * import { Storage } from "effect-larder"
   *
   * class Session extends Schema.Class<Session>("Session")({
   *   user: Schema.String,
   *   since: Schema.DateTimeUtc
   * }) {}
   *
   * const sessions = Storage.view(Session, {
   *   prefix: "session:",
   *   version: 2,
   *   migrations: { 1: ({ name, since }) => ({ user: name, since }) }
   * })
   *
   * export const userOf = (id: string) =>
   *   Effect.map(sessions.get(id), Option.map(({ user }) => user))
   * ```
   *
   * @since 0.1.0
   */
  static readonly view = <A, I, R>(
    schema: Schema.Schema<A, I, R>,
    options: StorageViewOptions = {}
  ): StorageView<A, R> => accessors(Storage, kindOf(schema, options))

  /**
   * Cleans up by a schedule, as long as the layer lives. What goes wrong is a warning in the
   * log, and the schedule goes on. A wrong `olderThan` is a defect when the layer is built.
   *
   * @example
   * ```ts
   * import * as Layer from "effect/Layer"
   * import * as Schedule from "effect/Schedule"
   * import { MemoryStorage, Storage } from "effect-larder"
   *
   * export const StorageLive = Storage.sweeper(Schedule.spaced("1 hour")).pipe(
   *   Layer.provideMerge(MemoryStorage.layer())
   * )
   * ```
   *
   * @since 0.1.0
   */
  static readonly sweeper = <Out, R>(
    schedule: Schedule.Schedule<Out, unknown, R>,
    options: CleanupOptions = {}
  ): Layer.Layer<never, never, Storage | R> =>
    Layer.scopedDiscard(Effect.flatMap(Storage, (storage) => sweep(storage, schedule, options)))

  /**
   * Over a store of your own: `storageConformance` of `effect-larder/testing` holds a layer to
   * the rules.
   *
   * @since 0.1.0
   */
  static readonly fromBackend = (
    backend: StorageBackend,
    { ttl }: StorageOptions = {}
  ): Layer.Layer<Storage> =>
    Layer.sync(Storage, () => {
      const life = millis("ttl", ttl, Infinity)
      if (life > 0) return { backend, ttl: life }
      throw wrong("ttl", life, "a duration above zero, or Infinity, for good")
    })
}
