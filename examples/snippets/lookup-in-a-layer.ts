import { Context, Effect, Layer, Schema } from "effect"
import { type Cache, CacheRegion } from "effect-larder"

class Pool extends Context.Tag("Pool")<
  Pool,
  { readonly query: (name: string) => Effect.Effect<string, string> }
>() {}

const reports = CacheRegion.make({
  name: "report",
  value: Schema.String,
  ttl: "1 minute",
  staleWhileRevalidate: "1 hour"
})

class Reports extends Context.Tag("Reports")<
  Reports,
  CacheRegion.CacheLookup<string, string, string, Cache>
>() {}

export const ReportsLive: Layer.Layer<Reports, never, Pool> = Layer.effect(
  Reports,
  CacheRegion.withLookup(reports, (name) => Effect.flatMap(Pool, (pool) => pool.query(name)))
)

export const sales = Effect.flatMap(Reports, (it) => it.get("sales"))
