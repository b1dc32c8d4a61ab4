/** What is done with a storage, whatever store it is over, and of whatever kind its values are. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { escapeGlob, globMatcher, globStart } from "../policy/glob.js"
import {
  type Search,
  type StorageBackend,
  StorageError,
  type Stored,
  type Writing
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
      together(found, (stored): Attempt<Option.Option<A>, R> =>
        stored === undefined ? nothing : present(valueOf(service, kind, stored))
      ),
      (values) => {
        if (unique.length === asked.length) return values
        const byKey = new Map(unique.map((key, index) => [key, values[index]!]))
        return asked.map((key) => byKey.get(key)!)
      }
    )
  )
}

const nothing = /* @__PURE__ */ Either.right(Option.none<never>())

const present = <A, R>(value: Attempt<A, R>): Attempt<Option.Option<A>, R> =>
  Either.isEither(value) ? Either.map(value, Option.some) : Effect.asSome(value)

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
  for (let at = 0; at < items.length; at++) {
    const attempted = attempt(items[at]!)
    if (!Either.isEither(attempted)) {
      const rest = Effect.forEach(items.slice(at + 1), (it) => attempt(it))
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
    const last = [...new Map(values)]
    const write = (key: string, content: unknown) => writing(service, prefix + key, content, manner)
    const entries =
      codec === undefined
        ? writeAll(last, write)
        : Effect.forEach(last, ([key, value]) =>
            Effect.flatMap(codec.encode(service, value), (content) =>
              succeeded(write(key, content))
            )
          )
    return Effect.flatMap(entries, (written) =>
      written.length === 0 ? Effect.void : service.backend.setMany(written)
    )
  })

/** In one go: of a thousand, none is a step of a fiber. */
const writeAll = <A>(
  values: ReadonlyArray<readonly [key: string, value: A]>,
  write: (key: string, value: A) => Writing | StorageError
): Effect.Effect<ReadonlyArray<Writing>, StorageError> => {
  const written: Array<Writing> = []
  for (const [key, value] of values) {
    const entry = write(key, value)
    if (entry instanceof StorageError) return Effect.fail(entry)
    written.push(entry)
  }
  return Effect.succeed(written)
}

const succeeded = (entry: Writing | StorageError): Effect.Effect<Writing, StorageError> =>
  entry instanceof StorageError ? Effect.fail(entry) : Effect.succeed(entry)

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
