import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { type Cache, CacheRegion, SharedCache } from "effect-larder"
import { exactly } from "./exactly.js"

class Database extends Context.Tag("test/Database")<Database, string>() {}

declare const load: (id: number) => Effect.Effect<string, "down", Database | Scope.Scope>
declare const simple: (id: number) => Effect.Effect<string>

const key = (id: number) => String(id)
const users = CacheRegion.make({ name: "user", key, value: Schema.String })
const shared = CacheRegion.make({ name: "user", key, value: Schema.String, cache: SharedCache })

const built = CacheRegion.withLookup(users, load)
const builtShared = CacheRegion.withLookup(shared, load)
const builtSimple = CacheRegion.withLookup(users, simple)

type Lookup = CacheRegion.CacheLookup<number, string, "down", Cache>
type SharedLookup = CacheRegion.CacheLookup<number, string, "down", SharedCache>

exactly<typeof built, Effect.Effect<Lookup, never, Database>>(true)
exactly<typeof builtShared, Effect.Effect<SharedLookup, never, Database>>(true)
exactly<Effect.Effect.Context<typeof builtSimple>, never>(true)
exactly<ReturnType<Lookup["get"]>, Effect.Effect<string, "down", Cache>>(true)
exactly<ReturnType<Lookup["refresh"]>, Effect.Effect<string, "down", Cache>>(true)
exactly<ReturnType<Lookup["invalidate"]>, Effect.Effect<boolean, never, Cache>>(true)
exactly<ReturnType<SharedLookup["get"]>, Effect.Effect<string, "down", SharedCache>>(true)
exactly<Parameters<Lookup["get"]>, [key: number]>(true)
