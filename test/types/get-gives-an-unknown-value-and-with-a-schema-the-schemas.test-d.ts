import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion, SharedCache } from "effect-larder"
import { exactly } from "./exactly.js"

const User = Schema.Struct({ id: Schema.NumberFromString, since: Schema.Date })
type User = { readonly id: number; readonly since: Date }

const plain = Cache.get("k")
const typed = Cache.get("k", User)
const shared = SharedCache.get("k")
const sharedTyped = SharedCache.get("k", User)
const inRegion = CacheRegion.make({ name: "user", value: User }).get("k")

exactly<typeof plain, Effect.Effect<Option.Option<unknown>, never, Cache>>(true)
exactly<typeof typed, Effect.Effect<Option.Option<User>, never, Cache>>(true)
exactly<typeof shared, Effect.Effect<Option.Option<unknown>, never, SharedCache>>(true)
exactly<typeof sharedTyped, Effect.Effect<Option.Option<User>, never, SharedCache>>(true)
exactly<typeof inRegion, Effect.Effect<Option.Option<User>, never, Cache>>(true)

// @ts-expect-error -- without a schema nobody has checked what it is
export const unchecked: Effect.Effect<Option.Option<number>, never, Cache> = Cache.get("k")
