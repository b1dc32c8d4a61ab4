import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Cache, CacheRegion, type GetOrCreateOptions, SharedCache } from "effect-larder"
import * as Schema from "effect/Schema"
import { exactly } from "./exactly.js"

declare const options: GetOrCreateOptions<number>
declare const region: CacheRegion.CacheRegion<string, number>

const one = Effect.succeed(1)
const { schema: _, ...withoutSchema } = options

const direct = Cache.getOrCreate("k", one, options)
const shared = SharedCache.getOrCreate("k", one, options)
const inRegion = region.getOrCreate("k", one, withoutSchema)

exactly<typeof direct, Effect.Effect<number, never, Cache>>(true)
exactly<typeof shared, Effect.Effect<number, never, SharedCache>>(true)
exactly<typeof inRegion, Effect.Effect<number, never, Cache>>(true)

/** What a library over this one would write. */
export const passedOn = <A, E, R>(
  create: Effect.Effect<A, E, R>,
  options: GetOrCreateOptions<A>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Cache> => Cache.getOrCreate("k", create, options)

export const withSchema = <A, I, E, R>(
  schema: Schema.Schema<A, I>,
  create: Effect.Effect<A, E, R>,
  options?: GetOrCreateOptions<A>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Cache> =>
  Cache.getOrCreate("k", create, { ...options, schema })
