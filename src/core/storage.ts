/** What is done with a storage, whatever store it is over, and of whatever kind its values are. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { escapeGlob, globMatcher, globStart } from "../policy/glob.js"
import type {
  Search,
  StorageBackend,
  StorageError,
  Stored,
  Writing
} from "../port/StorageBackend.js"
import type { StorageEntry } from "./storageEntry.js"
import { contentOf, entryOf, mannerOf, type StorageSetOptions, writing } from "./storing.js"

/** A store, and how long an entry lives in it whose `set` does not say; milliseconds. */
export interface Service {
  readonly backend: StorageBackend
  readonly ttl: number
}

/** A part of a storage: where its entries are, and how its values are written and read. */
export interface Kind<A, R> {
  /** What its keys begin with; whoever uses it leaves that out. */
  readonly prefix: string
  readonly version: number
  /** Undefined: values are JSON, by the word of whoever reads them. */
  readonly codec: Codec<A, R> | undefined
}

export interface Codec<A, R> {
  readonly encode: (service: Service, value: A) => Effect.Effect<unknown, StorageError, R>
  readonly decode: (
    service: Service,
    stored: Stored,
    content: unknown
  ) => Effect.Effect<A, StorageError, R>
}

export const get = <A, R>(
  service: Service,
  kind: Kind<A, R>,
  key: string
): Effect.Effect<Option.Option<A>, StorageError, R> =>
  Effect.flatMap(service.backend.getMany([kind.prefix + key]), ([stored]) =>
    stored === undefined ? Effect.succeedNone : Effect.asSome(valueOf(service, kind, stored))
  )

export const getMany = <A, R>(
  service: Service,
  kind: Kind<A, R>,
  keys: Iterable<string>
): Effect.Effect<ReadonlyArray<Option.Option<A>>, StorageError, R> => {
  const asked = Array.from(keys, (key) => kind.prefix + key)
  const unique = [...new Set(asked)]
  if (unique.length === 0) return Effect.succeed([])
  return Effect.flatMap(service.backend.getMany(unique), (found) =>
    Effect.map(
      together(found, (stored) =>
        stored === undefined ? Either.right(undefined) : valueOf(service, kind, stored)
      ),
      (values) => {
        const byKey = new Map(
          unique.map((key, index) => [
            key,
            found[index] === undefined ? Option.none() : Option.some(values[index] as A)
          ])
        )
        return asked.map((key) => byKey.get(key)!)
      }
    )
  )
}

export const getEntry = <A, R>(
  service: Service,
  kind: Kind<A, R>,
  key: string
): Effect.Effect<Option.Option<StorageEntry<A>>, StorageError, R> =>
  Effect.flatMap(service.backend.getMany([kind.prefix + key]), ([stored]) =>
    stored === undefined ? Effect.succeedNone : Effect.asSome(entryIn(service, kind, stored))
  )

/** At once, where no schema has a say in it. */
type Attempt<A, R> = Either.Either<A, StorageError> | Effect.Effect<A, StorageError, R>

const valueOf = <A, R>(service: Service, { codec }: Kind<A, R>, stored: Stored): Attempt<A, R> => {
  const content = contentOf(service.backend.name, stored)
  if (codec === undefined) return content as Either.Either<A, StorageError>
  return Effect.flatMap(content, (it) => codec.decode(service, stored, it))
}

/** One after the other. Of a thousand that are there at once, none is a step of a fiber. */
const together = <B, A, R>(
  items: ReadonlyArray<B>,
  attempt: (item: B) => Attempt<A, R>
): Effect.Effect<ReadonlyArray<A>, StorageError, R> => {
  const done: Array<A> = []
  for (const [index, item] of items.entries()) {
    const attempted = attempt(item)
    if (!Either.isEither(attempted)) {
      const rest = Effect.forEach(items.slice(index + 1), (it) => attempt(it))
      return Effect.zipWith(attempted, rest, (one, others) => [...done, one, ...others])
    }
    if (Either.isLeft(attempted)) return Effect.fail(attempted.left)
    done.push(attempted.right)
  }
  return Effect.succeed(done)
}

const entryIn = <A, R>(
  service: Service,
  kind: Kind<A, R>,
  stored: Stored
): Effect.Effect<StorageEntry<A>, StorageError, R> =>
  Effect.flatMap(valueOf(service, kind, stored), (value) =>
    entryOf(service.backend.name, stored, stored.key.slice(kind.prefix.length), value)
  )

/** Of several values for one key the last one is written. */
export const setMany = <A, R>(
  service: Service,
  { codec, prefix, version }: Kind<A, R>,
  values: Iterable<readonly [key: string, value: A]>,
  options: StorageSetOptions = {}
): Effect.Effect<void, StorageError, R> =>
  Effect.flatMap(mannerOf(service, options, version), (manner) => {
    const write = (key: string, content: unknown): Either.Either<Writing, StorageError> =>
      writing(service, prefix + key, content, manner)
    const entries = together([...new Map(values)], ([key, value]): Attempt<Writing, R> =>
      codec === undefined
        ? write(key, value)
        : Effect.flatMap(codec.encode(service, value), (content) => write(key, content))
    )
    return Effect.flatMap(entries, (written) =>
      written.length === 0 ? Effect.void : service.backend.setMany(written)
    )
  })

/** How many were there. */
export const deleteMany = (
  { backend }: Service,
  { prefix }: Pick<Kind<any, any>, "prefix">,
  keys: Iterable<string>
): Effect.Effect<number, StorageError> => {
  const unique = [...new Set(Array.from(keys, (key) => prefix + key))]
  return unique.length === 0 ? Effect.succeed(0) : backend.deleteMany(unique)
}

/** What a backend gives may be more than the pattern matches. */
export const keysStream = (
  { backend }: Service,
  { prefix }: Pick<Kind<any, any>, "prefix">,
  pattern: string
): Stream.Stream<string, StorageError> => {
  const matches = globMatcher(pattern)
  return Stream.filterMap(backend.keys(searchOf(prefix, pattern)), (stored) => {
    const key = stored.slice(prefix.length)
    return stored.startsWith(prefix) && matches(key) ? Option.some(key) : Option.none()
  })
}

/** Distinct, and sorted by code unit: the same on all stores. */
export const keys = (
  service: Service,
  kind: Pick<Kind<any, any>, "prefix">,
  pattern: string
): Effect.Effect<ReadonlyArray<string>, StorageError> =>
  Effect.map(Stream.runCollect(keysStream(service, kind, pattern)), (found) =>
    [...new Set(found)].toSorted()
  )

export const entries = <A, R>(
  service: Service,
  kind: Kind<A, R>,
  pattern: string
): Stream.Stream<StorageEntry<A>, StorageError, R> => {
  const matches = globMatcher(pattern)
  const { prefix } = kind
  return service.backend.entries(searchOf(prefix, pattern)).pipe(
    Stream.filter(({ key }) => key.startsWith(prefix) && matches(key.slice(prefix.length))),
    Stream.mapEffect((stored) => entryIn(service, kind, stored))
  )
}

const searchOf = (prefix: string, pattern: string): Search => ({
  start: prefix + globStart(pattern),
  pattern: escapeGlob(prefix) + pattern
})
