/** What a test of a storage has in hand: entries, and keys that nobody else uses. */
import type * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { StorageEntry } from "../../../core/storageEntry.js"
import { tokens } from "../../../core/tokens.js"
import type { StorageError } from "../../../port/StorageBackend.js"
import { Storage } from "../../../Storage.js"
import { expectEqual, expectThat, type Nonconformity } from "../expectation.js"
import type { Using } from "../register.js"

export interface Subject extends Traits {
  readonly context: Context.Context<Storage>
  /** Does it in another process, or in the same where a store is that of a process. */
  readonly there: <A, E>(effect: Effect.Effect<A, E, Storage>) => Effect.Effect<A, E>
  /** A shared store keeps what is there: no two tests use the same key. */
  readonly key: (name?: string | number) => string
  /** What all its keys begin with: nothing that a pattern knows. */
  readonly start: string
}

/** What a storage may be like, and be none the worse for it. */
export interface Traits {
  /** How long an entry lives whose `set` does not say; milliseconds. */
  readonly ttl: number
  /** The store removes by itself what has expired: `cleanup` counts what it has left. */
  readonly isNative: boolean
}

const nextId = /* @__PURE__ */ tokens()

export const makeSubject = <E>(
  layer: Layer.Layer<Storage, E>,
  isShared: boolean,
  traits: Traits
): Effect.Effect<Subject, E, Scope.Scope> =>
  Effect.gen(function* () {
    const start = `conformance-${nextId()}-`
    const context = yield* Layer.build(layer)
    const elsewhere = isShared ? yield* Layer.build(layer) : context
    const remove = Effect.flatMap(Storage.keys(`${start}*`), Storage.deleteMany)
    yield* Effect.addFinalizer(() => Effect.orDie(Effect.provide(remove, context)))
    return {
      ...traits,
      context,
      there: Effect.provide(elsewhere),
      start,
      key: (name = "key") => start + name
    }
  })

/** A case whose effects use the storage that is there. */
export type StorageCase = Using<Storage, Subject>

/** What `get` finds. */
export const expectGet = (
  key: string,
  expected: Option.Option<unknown>,
  what = "get"
): Effect.Effect<void, Nonconformity | StorageError, Storage> =>
  Effect.flatMap(Storage.get(key), (found) => expectEqual(what, found, expected))

/** The entry at a key, which has to be there. */
export const entryAt = (
  key: string
): Effect.Effect<StorageEntry, Nonconformity | StorageError, Storage> =>
  Effect.flatMap(Storage.getEntry(key), (found) =>
    Option.isSome(found)
      ? Effect.succeed(found.value)
      : Effect.zipRight(expectThat("getEntry", false, "an entry", found), Effect.never)
  )

/** How long an entry was to live when it was set, in milliseconds. */
export const lifeOf = ({ createdAt, expiresAt }: StorageEntry): number =>
  Option.match(expiresAt, {
    onNone: () => Infinity,
    onSome: (end) => DateTime.toEpochMillis(end) - DateTime.toEpochMillis(createdAt)
  })

export const expectFailure = <A, R>(
  what: string,
  effect: Effect.Effect<A, StorageError, R>,
  reason: StorageError["reason"]
): Effect.Effect<void, Nonconformity, R> =>
  Effect.flatMap(Effect.either(effect), (result) =>
    expectThat(
      what,
      Either.isLeft(result) && result.left.reason === reason,
      `a StorageError for the reason ${reason}`,
      Either.isLeft(result) ? result.left.message : result.right
    )
  )

/** `from` 0 up to what comes before `to`. */
export const range = (to: number): ReadonlyArray<number> =>
  Array.from({ length: to }, (_, at) => at)

/** By code unit, as `keys` sorts. */
export const sorted = (texts: Iterable<string>): ReadonlyArray<string> => [...texts].toSorted()
