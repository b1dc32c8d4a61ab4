/** The statics that `Cache` and `SharedCache` have in common, for either tag. */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CacheCounters } from "./counters.js"
import type { CacheEvent } from "./events.js"
import { lookupIn } from "./lookup.js"
import { type LookupOptions, whole } from "./request.js"
import type { CacheHealth, CacheStats, EntryInfo, Service } from "./service.js"
import type { SetOptions } from "./write.js"

/**
 * Looks up, and creates what is not there.
 *
 * @inline
 */
export interface GetOrCreate<C> {
  <A, I, E, R>(
    key: string,
    create: Effect.Effect<NoInfer<A>, E, R>,
    options: LookupOptions<A> & { readonly schema: Schema.Schema<A, I> }
  ): Effect.Effect<A, E, Exclude<R, Scope.Scope> | C>
  <A, E, R>(
    key: string,
    create: Effect.Effect<A, E, R>,
    options?: LookupOptions<A>
  ): Effect.Effect<A, E, Exclude<R, Scope.Scope> | C>
}

/** Options that say nothing of the value. */
type AnyValueOptions = Omit<LookupOptions<never>, "ttl" | "schema"> & {
  readonly ttl?: Duration.DurationInput | undefined
  readonly schema?: undefined
}

/**
 * The same, for pipes.
 *
 * @inline
 */
export interface Cached<C> {
  (
    key: string,
    options?: AnyValueOptions
  ): <A, E, R>(create: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Scope.Scope> | C>
  <A>(
    key: string,
    options: LookupOptions<A>
  ): <E, R>(
    create: Effect.Effect<NoInfer<A>, E, R>
  ) => Effect.Effect<A, E, Exclude<R, Scope.Scope> | C>
}

/**
 * Looks up what is there.
 *
 * @inline
 */
export interface Get<C> {
  (key: string): Effect.Effect<Option.Option<unknown>, never, C>
  <A, I>(key: string, schema: Schema.Schema<A, I>): Effect.Effect<Option.Option<A>, never, C>
}

export interface Accessors<C> {
  readonly getOrCreate: GetOrCreate<C>
  readonly cached: Cached<C>
  readonly get: Get<C>
  readonly set: (key: string, value: unknown, options?: SetOptions) => Effect.Effect<void, never, C>
  readonly invalidate: (key: string) => Effect.Effect<boolean, never, C>
  readonly clear: Effect.Effect<void, never, C>
  readonly keys: (pattern?: string) => Stream.Stream<string, never, C>
  readonly inspect: (key: string) => Effect.Effect<Option.Option<EntryInfo>, never, C>
  readonly events: Stream.Stream<CacheEvent, never, C>
  readonly stats: Effect.Effect<CacheStats, never, C>
  readonly counters: Effect.Effect<CacheCounters, never, C>
  readonly health: Effect.Effect<CacheHealth, never, C>
}

export const accessors = <C>(tag: Context.Tag<C, Service>): Accessors<C> => {
  const lookup = lookupIn(tag, whole, (key: string) => key)
  return {
    getOrCreate: lookup,
    cached: (key: string, options?: LookupOptions<any>) => (create: Effect.Effect<any, any, any>) =>
      lookup(key, create, options),
    get: (key: string, schema?: Schema.Schema<any, any>) =>
      Effect.flatMap(tag, (cache) => cache.get(whole, key, schema)),
    set: (key, value, options = {}) =>
      Effect.flatMap(tag, (cache) => cache.set(whole, key, value, options)),
    invalidate: (key) => Effect.flatMap(tag, (cache) => cache.invalidate(key)),
    clear: Effect.flatMap(tag, (cache) => cache.clear("")),
    keys: (pattern = "*") => Stream.unwrap(Effect.map(tag, (cache) => cache.keys(pattern))),
    inspect: (key) => Effect.flatMap(tag, (cache) => cache.inspect(key)),
    events: Stream.unwrap(Effect.map(tag, (cache) => cache.events)),
    stats: Effect.flatMap(tag, (cache) => cache.stats),
    counters: Effect.flatMap(tag, (cache) => cache.counters(undefined)),
    health: Effect.flatMap(tag, (cache) => cache.health)
  }
}
