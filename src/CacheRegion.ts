/**
 * A typed part of a cache.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { Cache, type GetOrCreateOptions } from "./Cache.js"
import type { CacheCounters } from "./core/counters.js"
import { lookupIn } from "./core/lookup.js"
import { millis, wrong } from "./core/option.js"
import type { LookupOptions, Region } from "./core/request.js"
import { encodeRegionName } from "./policy/keys.js"

/**
 * What a region is. Beside its own fields it has those of `getOrCreate`, as
 * defaults of its entries.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheRegionOptions<K, A, I, EA, EI, C> extends Omit<
  GetOrCreateOptions<A>,
  "schema" | "refresh"
> {
  /** Entries live at `<prefix>:<name>:<key>`; `%` and `:` in it are percent-encoded. */
  readonly name: string
  /** Makes a key a string, differently for different keys; left out, it is one. */
  readonly key?: ((key: K) => string) | undefined
  /** Encodes what is stored, checks what is read. */
  readonly value: Schema.Schema<A, I>
  /** Failures of this kind are entries, too. */
  readonly error?: Schema.Schema<EA, EI> | undefined
  /** How long they live; default 10 seconds. */
  readonly errorTtl?: Duration.DurationInput | undefined
  /** Entries of another version are misses; default 0, the version of plain keys. */
  readonly version?: number | undefined
  /** Which tag it lives in; default `Cache`. */
  readonly cache?: Context.Tag<C, Cache.Service> | undefined
}

/**
 * A typed part of a cache: entries of one kind, under one name, with one schema.
 *
 * It only describes; it holds nothing. Two regions of one name are the same.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheRegion<K, A, EA = never, C = Cache> {
  readonly name: string
  /** As `Cache.getOrCreate`; options given here win over the region's. */
  readonly getOrCreate: <E, R>(
    key: K,
    create: Effect.Effect<A, E, R>,
    options?: Omit<GetOrCreateOptions<A>, "schema">
  ) => Effect.Effect<A, E | EA, Exclude<R, Scope.Scope> | C>
  /** The fresh value, or none; a cached failure is none. */
  readonly get: (key: K) => Effect.Effect<Option.Option<A>, never, C>
  readonly set: (
    key: K,
    value: A,
    options?: { readonly ttl?: Duration.DurationInput | undefined }
  ) => Effect.Effect<void, never, C>
  readonly invalidate: (key: K) => Effect.Effect<boolean, never, C>
  /** Removes the entries of this region alone. */
  readonly clear: Effect.Effect<void, never, C>
  readonly counters: Effect.Effect<CacheCounters, never, C>
}

/**
 * Describes a region.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 * import { CacheRegion } from "effect-larder"
 *
 * const User = Schema.Struct({ id: Schema.Number, since: Schema.Date })
 *
 * const users = CacheRegion.make({ name: "user", key: (id: number) => String(id), value: User })
 *
 * export const user = (id: number) =>
 *   users.getOrCreate(id, Effect.succeed({ id, since: new Date(0) }), { ttl: "1 minute" })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I, K = string, EA = never, EI = never, C = Cache>(
  options: CacheRegionOptions<K, A, I, EA, EI, C>
): CacheRegion<K, A, EA, C> => {
  const tag = (options.cache ?? Cache) as Context.Tag<C, Cache.Service>
  const name = encodeRegionName(options.name)
  const keyOf = options.key ?? String
  const { background, beta, softTimeout, staleIfError, staleWhileRevalidate, ttl, wait } = options
  const schema = options.value
  const defaults: LookupOptions<A> = {
    ttl,
    staleWhileRevalidate,
    staleIfError,
    softTimeout,
    beta,
    wait,
    background,
    schema
  }
  const region: Region = {
    name,
    start: `${name}:`,
    version: version(options.version ?? 0),
    error: options.error,
    errorTtl: millis("errorTtl", options.errorTtl, 10_000)
  }
  const whole = (key: K): string => region.start + keyOf(key)
  const lookup = lookupIn(tag, region, whole)
  // `set` takes its ttl from here unless told: a function of the value works, too.
  const ttlFor = (value: A): Duration.DurationInput | undefined =>
    typeof ttl === "function" ? ttl(value) : ttl
  return {
    name: options.name,
    getOrCreate: (key, create, own) =>
      lookup(key, create, own === undefined ? defaults : override(defaults, own)),
    get: (key) => Effect.flatMap(tag, (cache) => cache.get(region, whole(key), schema)),
    set: (key, value, own) =>
      Effect.flatMap(tag, (cache) =>
        cache.set(region, whole(key), value, { schema, ttl: own?.ttl ?? ttlFor(value) })
      ),
    invalidate: (key) => Effect.flatMap(tag, (cache) => cache.invalidate(whole(key))),
    clear: Effect.flatMap(tag, (cache) => cache.clear(region.start)),
    counters: Effect.flatMap(tag, (cache) => cache.counters(region))
  }
}

const version = (given: number): number => {
  if (Number.isInteger(given) && given >= 0 && given < 1e9) return given
  throw wrong("version", given, "a whole number from 0 to 999,999,999")
}

/** Undefined means unset, so a spread would not do. */
const override = <A>(defaults: LookupOptions<A>, own: LookupOptions<A>): LookupOptions<A> => ({
  ttl: own.ttl ?? defaults.ttl,
  staleWhileRevalidate: own.staleWhileRevalidate ?? defaults.staleWhileRevalidate,
  staleIfError: own.staleIfError ?? defaults.staleIfError,
  softTimeout: own.softTimeout ?? defaults.softTimeout,
  beta: own.beta ?? defaults.beta,
  wait: own.wait ?? defaults.wait,
  background: own.background ?? defaults.background,
  schema: defaults.schema,
  refresh: own.refresh
})

/**
 * A region that knows how its values are made.
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheLookup<K, A, E, C> {
  /** The entry, or what the lookup makes. */
  readonly get: (key: K) => Effect.Effect<A, E, C>
  /** Runs the lookup whether or not there is an entry, and stores what it makes. */
  readonly refresh: (key: K) => Effect.Effect<A, E, C>
  readonly invalidate: (key: K) => Effect.Effect<boolean, never, C>
}

/**
 * Captures how a region's values are made, with the services that are there now:
 * to be used where a layer is built. What is refreshed behind then runs with the
 * layer's services, not with those of the request that happened to read.
 *
 * @example
 * ```ts
 * import * as Context from "effect/Context"
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import * as Schema from "effect/Schema"
 * import { type Cache, CacheRegion } from "effect-larder"
 *
 * class Pool extends Context.Tag("Pool")<
 *   Pool,
 *   { readonly query: (name: string) => Effect.Effect<string> }
 * >() {}
 *
 * const reports = CacheRegion.make({ name: "report", value: Schema.String })
 *
 * class Reports extends Context.Tag("Reports")<
 *   Reports,
 *   CacheRegion.CacheLookup<string, string, never, Cache>
 * >() {}
 *
 * export const ReportsLive: Layer.Layer<Reports, never, Pool> = Layer.effect(
 *   Reports,
 *   CacheRegion.withLookup(reports, (name) => Effect.flatMap(Pool, (pool) => pool.query(name)))
 * )
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const withLookup = <K, A, EA, C, E, R>(
  region: CacheRegion<K, A, EA, C>,
  lookup: (key: K) => Effect.Effect<A, E, R>
): Effect.Effect<CacheLookup<K, A, E | EA, C>, never, Exclude<R, Scope.Scope>> =>
  Effect.map(Effect.context<Exclude<R, Scope.Scope>>(), (captured) => {
    // The layer's services, but the creator's own scope, and its span: that of the
    // build has ended.
    const services = Context.omit(Tracer.ParentSpan)(captured as Context.Context<any>)
    const create = (key: K): Effect.Effect<A, E, Scope.Scope> =>
      Effect.mapInputContext(
        lookup(key),
        (given: Context.Context<Scope.Scope>) =>
          Context.add(
            Context.merge(given, services),
            Scope.Scope,
            Context.get(given, Scope.Scope)
          ) as unknown as Context.Context<R>
      )
    return {
      get: (key) => region.getOrCreate(key, create(key)),
      refresh: (key) => region.getOrCreate(key, create(key), { refresh: true }),
      invalidate: region.invalidate
    }
  })
