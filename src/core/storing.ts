/** Between what a user hands over and what a store keeps: texts, times, and what is wrong with them. */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { unstorable } from "../policy/storable.js"
import { StorageError, type Stored, type Writing } from "../port/StorageBackend.js"
import { millis, wrongness } from "./option.js"
import type { Service } from "./storage.js"
import { StorageEntry } from "./storageEntry.js"

/**
 * What may be said of an entry when it is set.
 *
 * - `ttl`: how long it lives; unset, the layer's default; `Infinity`: for good
 * - `metadata`: kept beside the value, as JSON; unset: none. Those of an earlier `set` go
 *
 * @since 0.1.0
 * @category models
 */
export interface StorageSetOptions {
  readonly ttl?: Duration.DurationInput | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** What all entries have in common that are set at once. */
export type Manner = Omit<Writing, "key" | "value">

export const mannerOf = (
  { backend: { name }, ttl }: Service,
  options: StorageSetOptions,
  version: number
): Either.Either<Manner, StorageError> =>
  Either.flatMap(ttlOf(name, options.ttl, ttl), (life) => {
    const metadata = options.metadata === undefined ? "{}" : metadataText(name, options.metadata)
    return typeof metadata === "string"
      ? Either.right({ metadata, version, ttl: life })
      : Either.left(metadata)
  })

/** What is none here, nobody could read. */
const metadataText = (backend: string, metadata: unknown): string | StorageError =>
  isRecord(metadata)
    ? toJson(backend, "the metadata", metadata)
    : invalid(backend, "the metadata is no object")

/** An entry as texts, or why it is none: not as an `Either`, for there may be thousands. */
export const writing = (
  { backend: { name } }: Service,
  key: string,
  content: unknown,
  { metadata, ttl, version }: Manner
): Writing | StorageError => {
  // JSON has no word for it, and no text that is empty.
  const value = content === undefined ? "" : toJson(name, "the value", content)
  return typeof value === "string" ? { key, value, metadata, version, ttl } : value
}

/** Half of what a date can tell: what lives longer lives for good. */
const longest = 4.32e15

/** A ttl in whole milliseconds: a part of one is one. */
const ttlOf = (
  backend: string,
  input: Duration.DurationInput | undefined,
  otherwise: number
): Either.Either<number, StorageError> => {
  const ttl = positive(input, otherwise)
  if (ttl !== undefined) return Either.right(ttl >= longest ? Infinity : Math.ceil(ttl))
  const detail = wrongness("ttl", input, "a duration above zero, or Infinity, for good")
  return Either.left(new StorageError({ backend, operation: "set", reason: "InvalidTtl", detail }))
}

const positive = (
  input: Duration.DurationInput | undefined,
  otherwise: number
): number | undefined => {
  try {
    const ttl = millis("ttl", input, otherwise)
    return ttl > 0 ? ttl : undefined
  } catch {
    return undefined
  }
}

const toJson = (backend: string, what: string, content: unknown): string | StorageError => {
  const found = unstorable(content)
  if (found !== undefined) {
    const lost = `JSON would lose ${found.what} in ${what}, at ${found.path}`
    const remedy = "Remedy: Storage.view, with a schema that encodes it"
    return invalid(backend, `${lost}. ${remedy}`)
  }
  try {
    return JSON.stringify(content)
  } catch {
    const why = `${what} is too long for one text, or changes while it is read`
    return invalid(backend, `${why}. Remedy: cut it into several entries`)
  }
}

/** It cannot be written as it is. */
export const invalid = (backend: string, detail: string): StorageError =>
  new StorageError({ backend, operation: "set", reason: "InvalidValue", detail })

/** What a stored text says. */
export const contentOf = (
  backend: string,
  { key, value }: Stored
): Either.Either<unknown, StorageError> =>
  value === "" ? Either.right(undefined) : parsed(backend, "value", key, value)

export const entryOf = <A>(
  backend: string,
  stored: Stored,
  key: string,
  value: A
): Either.Either<StorageEntry<A>, StorageError> =>
  Either.flatMap(parsed(backend, "metadata", stored.key, stored.metadata), (metadata) => {
    const wrong = (why: string) => Either.left(undecodable(backend, stored.key, why))
    if (!isRecord(metadata)) return wrong("its metadata is no object")
    const createdAt = DateTime.make(stored.createdAt)
    // Of infinity there is none.
    const expiresAt = DateTime.make(stored.expiresAt)
    const isOff = Option.isNone(expiresAt) && stored.expiresAt !== Infinity
    if (Option.isNone(createdAt) || isOff) return wrong("its times are none that a date can tell")
    return Either.right(
      new StorageEntry({ key, value, createdAt: createdAt.value, expiresAt, metadata })
    )
  })

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const parsed = (
  backend: string,
  what: string,
  key: string,
  text: string
): Either.Either<unknown, StorageError> =>
  Either.try({
    try: () => JSON.parse(text) as unknown,
    catch: () => undecodable(backend, key, `its ${what} is no JSON`)
  })

/** What is there is of use to somebody: it is neither taken for missing nor replaced. */
export const undecodable = (backend: string, key: string, why: string): StorageError =>
  new StorageError({
    backend,
    operation: "get",
    reason: "Undecodable",
    detail:
      `the entry at ${JSON.stringify(key.slice(0, 100))} cannot be read: ${why}. ` +
      "It is left as it is. Remedy: read it as what it is, or delete it"
  })
