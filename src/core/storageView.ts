/** A typed part of a storage: a schema, a version, and ways from the versions before it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StorageError, Stored } from "../port/StorageBackend.js"
import { wrong } from "./option.js"
import { placeOf } from "./schemaError.js"
import type { Kind, Service } from "./storage.js"
import { invalid, undecodable } from "./storing.js"

/**
 * Where the entries of a view are, and what became of their schema.
 *
 * - `prefix`: what their keys begin with in the storage; users of the view leave it out
 * - `version`: of the schema, a whole number from 1 up; default 1. Entries are written with it
 * - `migrations`: from an earlier version to the next one, by its number: what the schema of
 *   that version had encoded to what the next one encodes. What plain `Storage.set` has
 *   written is of version 0
 *
 * @since 0.1.0
 * @category models
 */
export interface StorageViewOptions {
  readonly prefix?: string | undefined
  readonly version?: number | undefined
  readonly migrations?: Readonly<Record<number, (encoded: any) => unknown>> | undefined
}

export const kindOf = <A, I, R>(
  schema: Schema.Schema<A, I, R>,
  { migrations = {}, prefix = "", version = 1 }: StorageViewOptions
): Kind<A, R> => {
  if (!Number.isSafeInteger(version) || version < 1) {
    throw wrong("version", version, "a whole number from 1 up")
  }
  const encode = Schema.encode(schema)
  const decode = Schema.decodeUnknown(schema)
  return {
    prefix,
    version,
    codec: {
      encode: ({ backend }, value) =>
        Effect.mapError(encode(value), (error) =>
          invalid(backend.name, `the view's schema does not encode the value at ${placeOf(error)}`)
        ),
      decode: (service, stored, content) =>
        Effect.flatMap(migrate(service, stored, content, version, migrations), (current) =>
          Effect.mapError(decode(current), (error) =>
            undecodable(
              service.backend.name,
              stored.key,
              `the view's schema does not decode it at ${placeOf(error)}`
            )
          )
        )
    }
  }
}

export const plain: Kind<unknown, never> = { prefix: "", version: 0, codec: undefined }

/** From version to version, as far as it takes. */
const migrate = (
  { backend }: Service,
  { key, version: from }: Stored,
  content: unknown,
  to: number,
  migrations: Readonly<Record<number, (encoded: any) => unknown>>
): Effect.Effect<unknown, StorageError> => {
  if (from > to) {
    const why = `it is of version ${from}, and this view of ${to}`
    return Effect.fail(undecodable(backend.name, key, why))
  }
  let current = content
  for (let version = from; version < to; version++) {
    const step = migrations[version]
    // Without one, what plain `Storage.set` has written is taken as it is.
    if (step === undefined && version === 0) continue
    if (step === undefined) {
      const why = `it is of version ${from}, and there is no migration from ${version}`
      return Effect.fail(undecodable(backend.name, key, why))
    }
    try {
      current = step(current)
    } catch {
      const why = `the migration from version ${version} threw`
      return Effect.fail(undecodable(backend.name, key, why))
    }
  }
  return Effect.succeed(current)
}
