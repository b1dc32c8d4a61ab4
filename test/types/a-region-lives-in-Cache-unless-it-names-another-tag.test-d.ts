import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion, SharedCache } from "effect-larder"
import { exactly } from "./exactly.js"

declare const create: Effect.Effect<number>

const plain = CacheRegion.make({ name: "n", value: Schema.Number })
const named = CacheRegion.make({ name: "n", value: Schema.Number, cache: Cache })
const shared = CacheRegion.make({ name: "n", value: Schema.Number, cache: SharedCache })

const lookup = shared.getOrCreate("k", create)

exactly<typeof plain, CacheRegion.CacheRegion<string, number, never, Cache>>(true)
exactly<typeof named, CacheRegion.CacheRegion<string, number, never, Cache>>(true)
exactly<typeof shared, CacheRegion.CacheRegion<string, number, never, SharedCache>>(true)
exactly<typeof lookup, Effect.Effect<number, never, SharedCache>>(true)
exactly<Effect.Effect.Context<ReturnType<typeof shared.get>>, SharedCache>(true)
exactly<Effect.Effect.Context<ReturnType<typeof shared.set>>, SharedCache>(true)
exactly<Effect.Effect.Context<ReturnType<typeof shared.invalidate>>, SharedCache>(true)
exactly<Effect.Effect.Context<typeof shared.clear>, SharedCache>(true)
exactly<Effect.Effect.Context<typeof shared.counters>, SharedCache>(true)
exactly<Effect.Effect.Context<typeof plain.clear>, Cache>(true)
