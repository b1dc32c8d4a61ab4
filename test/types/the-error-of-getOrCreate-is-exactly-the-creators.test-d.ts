import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Cache, SharedCache } from "effect-larder"
import { exactly } from "./exactly.js"

type No = { readonly _tag: "No" }

declare const never: Effect.Effect<number>
declare const one: Effect.Effect<number, No>
declare const two: Effect.Effect<number, No | "down">
declare const unknown: Effect.Effect<number, unknown>

const schema = { ttl: "1 minute", schema: Schema.Number } as const

const lookups = {
  never: Cache.getOrCreate("k", never),
  one: Cache.getOrCreate("k", one),
  two: Cache.getOrCreate("k", two),
  unknown: Cache.getOrCreate("k", unknown),
  neverWithSchema: Cache.getOrCreate("k", never, schema),
  oneWithSchema: Cache.getOrCreate("k", one, schema),
  twoWithOptions: Cache.getOrCreate("k", two, { wait: 1 }),
  piped: one.pipe(Cache.cached("k")),
  pipedWithSchema: one.pipe(Cache.cached("k", schema)),
  shared: SharedCache.getOrCreate("k", one, schema),
  pipedIntoShared: two.pipe(SharedCache.cached("k"))
}

type ErrorOf<Name extends keyof typeof lookups> = Effect.Effect.Error<(typeof lookups)[Name]>

exactly<ErrorOf<"never">, never>(true)
exactly<ErrorOf<"one">, No>(true)
exactly<ErrorOf<"two">, No | "down">(true)
exactly<ErrorOf<"unknown">, unknown>(true)
exactly<ErrorOf<"neverWithSchema">, never>(true)
exactly<ErrorOf<"oneWithSchema">, No>(true)
exactly<ErrorOf<"twoWithOptions">, No | "down">(true)
exactly<ErrorOf<"piped">, No>(true)
exactly<ErrorOf<"pipedWithSchema">, No>(true)
exactly<ErrorOf<"shared">, No>(true)
exactly<ErrorOf<"pipedIntoShared">, No | "down">(true)
