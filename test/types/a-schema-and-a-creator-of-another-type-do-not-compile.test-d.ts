import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache, type GetOrCreateOptions, SharedCache } from "effect-larder"

const User = Schema.Struct({ id: Schema.Number, since: Schema.Date })
const user = { id: 1, since: new Date(0) }
const name = Effect.succeed("Ada")
const held: GetOrCreateOptions<number> = { schema: Schema.Number }

export const getOrCreate = [
  // @ts-expect-error -- a text is no number
  Cache.getOrCreate("k", name, { schema: Schema.Number }),
  // @ts-expect-error -- nor with other options beside
  Cache.getOrCreate("k", name, { ttl: "1 minute", schema: Schema.Number, refresh: true }),
  // @ts-expect-error -- what is stored is not what is created
  Cache.getOrCreate("k", Effect.succeed({ id: 1, since: "1970-01-01" }), { schema: User }),
  // @ts-expect-error -- a field is missing
  Cache.getOrCreate("k", Effect.succeed({ id: 1 }), { schema: User }),
  // @ts-expect-error -- a union with one right member
  Cache.getOrCreate("k", Effect.succeed<number | string>(1), { schema: Schema.Number }),
  // @ts-expect-error -- a wider type
  Cache.getOrCreate("k", name, { schema: Schema.Literal("Ada", "Grace") }),
  // @ts-expect-error -- an unknown one
  Cache.getOrCreate("k", Effect.succeed<unknown>(user), { schema: User }),
  // @ts-expect-error -- an Option is no value
  Cache.getOrCreate("k", Effect.succeed(Option.some(1)), { schema: Schema.Number }),
  // @ts-expect-error -- nor with options held in a variable
  Cache.getOrCreate("k", name, held),
  // @ts-expect-error -- the same in a cache that every instance sees
  SharedCache.getOrCreate("k", name, { schema: Schema.Number })
]

export const cached = [
  // @ts-expect-error -- a text is no number
  name.pipe(Cache.cached("k", { schema: Schema.Number })),
  // @ts-expect-error -- nor with other options beside
  name.pipe(Cache.cached("k", { ttl: "1 minute", schema: Schema.Number })),
  // @ts-expect-error -- a field is missing
  Effect.succeed({ id: 1 }).pipe(Cache.cached("k", { schema: User })),
  // @ts-expect-error -- a union with one right member
  Effect.succeed<number | string>(1).pipe(Cache.cached("k", { schema: Schema.Number })),
  // @ts-expect-error -- the same in a cache that every instance sees
  name.pipe(SharedCache.cached("k", { schema: Schema.Number }))
]
