/** The functions that a storage and its views have in common, for the tag of the storage. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { StorageError } from "../port/StorageBackend.js"
import * as Core from "./storage.js"
import type { StorageEntry } from "./storageEntry.js"
import type { StorageSetOptions } from "./storing.js"

/** `S`: the storage's tag; `R`: what the values' schema needs. */
export interface Accessors<A, S, R> {
  readonly get: (key: string) => Effect.Effect<Option.Option<A>, StorageError, S | R>
  /** With its times and its metadata. */
  readonly getEntry: (
    key: string
  ) => Effect.Effect<Option.Option<StorageEntry<A>>, StorageError, S | R>
  readonly set: (
    key: string,
    value: A,
    options?: StorageSetOptions
  ) => Effect.Effect<void, StorageError, S | R>
  /** True: it was there. */
  readonly delete: (key: string) => Effect.Effect<boolean, StorageError, S>
  readonly exists: (key: string) => Effect.Effect<boolean, StorageError, S>
  /** Those that match the pattern, all of them unless one is given: distinct, sorted by code unit. */
  readonly keys: (pattern?: string) => Effect.Effect<ReadonlyArray<string>, StorageError, S>
  /** In pages; order unspecified, and in Redis a key may come twice. */
  readonly keysStream: (pattern?: string) => Stream.Stream<string, StorageError, S>
  /** Likewise, with their values. */
  readonly entries: (pattern?: string) => Stream.Stream<StorageEntry<A>, StorageError, S | R>
  /** One answer a key, in order, in one round trip. */
  readonly getMany: (
    keys: Iterable<string>
  ) => Effect.Effect<ReadonlyArray<Option.Option<A>>, StorageError, S | R>
  /** In one transaction: all or none. Of several values for one key the last one is set. */
  readonly setMany: (
    values: Iterable<readonly [key: string, value: A]>,
    options?: StorageSetOptions
  ) => Effect.Effect<void, StorageError, S | R>
  /** How many were there. */
  readonly deleteMany: (keys: Iterable<string>) => Effect.Effect<number, StorageError, S>
}

export const accessors = <A, S, R>(
  tag: Context.Tag<S, Core.Service>,
  kind: Core.Kind<A, R>
): Accessors<A, S, R> => {
  const keysStream = (pattern = "*") =>
    Stream.unwrap(Effect.map(tag, (storage) => Core.keysStream(storage, kind, pattern)))
  // What was handed over is read here: some iterables can be once, and an effect runs often.
  return {
    get: (key) => Effect.flatMap(tag, (storage) => Core.get(storage, kind, key)),
    getEntry: (key) => Effect.flatMap(tag, (storage) => Core.getEntry(storage, kind, key)),
    set: (key, value, options) =>
      Effect.flatMap(tag, (storage) => Core.setMany(storage, kind, [[key, value]], options)),
    delete: (key) =>
      Effect.flatMap(tag, (storage) =>
        Effect.map(Core.deleteMany(storage, kind, [key]), (deleted) => deleted > 0)
      ),
    exists: (key) => Effect.flatMap(tag, ({ backend }) => backend.exists(kind.prefix + key)),
    keys: (pattern = "*") => Effect.flatMap(tag, (storage) => Core.keys(storage, kind, pattern)),
    keysStream,
    entries: (pattern = "*") =>
      Stream.unwrap(Effect.map(tag, (storage) => Core.entries(storage, kind, pattern))),
    getMany: (keys) => {
      const asked = Array.from(keys)
      return Effect.flatMap(tag, (storage) => Core.getMany(storage, kind, asked))
    },
    setMany: (values, options) => {
      const pairs = Array.from(values)
      return Effect.flatMap(tag, (storage) => Core.setMany(storage, kind, pairs, options))
    },
    deleteMany: (keys) => {
      const asked = Array.from(keys)
      return Effect.flatMap(tag, (storage) => Core.deleteMany(storage, kind, asked))
    }
  }
}
