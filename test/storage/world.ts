/** A storage over a store in memory, of which a test replaces what it wants. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import {
  Storage,
  type StorageBackend,
  StorageError,
  type StorageOptions,
  type Stored
} from "effect-larder"
import * as MemoryStorageBackend from "../../src/memory/MemoryStorageBackend.js"

export const down = new StorageError({
  backend: "test",
  operation: "any",
  reason: "Unavailable",
  detail: "nobody answers. Remedy: start it"
})

export const storageWith = (
  replace: (inner: StorageBackend) => Partial<StorageBackend>,
  options?: StorageOptions
): Layer.Layer<Storage> =>
  Layer.unwrapEffect(
    Effect.map(MemoryStorageBackend.make, (inner) =>
      Storage.fromBackend({ ...inner, ...replace(inner) }, options)
    )
  )

/** An entry that some other hand has put there. */
export const stored = (key: string, changed: Partial<Stored> = {}): Stored => ({
  key,
  value: "1",
  metadata: "{}",
  version: 0,
  createdAt: 1_000,
  expiresAt: Infinity,
  ...changed
})

/** What a defect says; or whatever else an effect has come to. */
export const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) =>
    Exit.isFailure(exit) && Cause.isDie(exit.cause) ? String(Cause.squash(exit.cause)) : exit
  )
