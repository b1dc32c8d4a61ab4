import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { Cache, CacheRegion, SharedCache } from "effect-larder"
import { exactly } from "./exactly.js"

class Database extends Context.Tag("test/Database")<Database, string>() {}

declare const none: Effect.Effect<number>
declare const scoped: Effect.Effect<number, never, Scope.Scope>
declare const database: Effect.Effect<number, never, Database>
declare const both: Effect.Effect<number, never, Database | Scope.Scope>
declare const nested: Effect.Effect<number, never, Cache | Scope.Scope>

const schema = { schema: Schema.Number }
const region = CacheRegion.make({ name: "n", value: Schema.Number })

const lookups = {
  none: Cache.getOrCreate("k", none),
  scoped: Cache.getOrCreate("k", scoped),
  database: Cache.getOrCreate("k", database),
  both: Cache.getOrCreate("k", both),
  nested: Cache.getOrCreate("k", nested),
  withSchema: Cache.getOrCreate("k", both, schema),
  piped: both.pipe(Cache.cached("k")),
  pipedWithSchema: both.pipe(Cache.cached("k", schema)),
  shared: SharedCache.getOrCreate("k", both),
  nestedInShared: SharedCache.getOrCreate("k", nested),
  region: region.getOrCreate("k", both)
}

type Required<Name extends keyof typeof lookups> = Effect.Effect.Context<(typeof lookups)[Name]>

exactly<Required<"none">, Cache>(true)
exactly<Required<"scoped">, Cache>(true)
exactly<Required<"database">, Cache | Database>(true)
exactly<Required<"both">, Cache | Database>(true)
exactly<Required<"nested">, Cache>(true)
exactly<Required<"withSchema">, Cache | Database>(true)
exactly<Required<"piped">, Cache | Database>(true)
exactly<Required<"pipedWithSchema">, Cache | Database>(true)
exactly<Required<"shared">, SharedCache | Database>(true)
exactly<Required<"nestedInShared">, SharedCache | Cache>(true)
exactly<Required<"region">, Cache | Database>(true)

export const generic = <A, E, R>(
  create: Effect.Effect<A, E, R>
): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Cache> => Cache.getOrCreate("k", create)
