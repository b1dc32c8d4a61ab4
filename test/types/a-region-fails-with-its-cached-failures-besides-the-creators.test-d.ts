import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CacheRegion } from "effect-larder"
import { exactly } from "./exactly.js"

class NotFound extends Schema.TaggedError<NotFound>()("NotFound", { id: Schema.Number }) {}

declare const sound: Effect.Effect<number>
declare const down: Effect.Effect<number, "down">
declare const missing: Effect.Effect<number, NotFound>

const plain = CacheRegion.make({ name: "n", value: Schema.Number })
const failing = CacheRegion.make({ name: "n", value: Schema.Number, error: NotFound })

const lookups = {
  plainSound: plain.getOrCreate("k", sound),
  plainDown: plain.getOrCreate("k", down),
  sound: failing.getOrCreate("k", sound),
  down: failing.getOrCreate("k", down),
  missing: failing.getOrCreate("k", missing, { ttl: 1 })
}
const made = CacheRegion.withLookup(failing, () => down)
const plainlyMade = CacheRegion.withLookup(plain, () => down)

type ErrorOf<Name extends keyof typeof lookups> = Effect.Effect.Error<(typeof lookups)[Name]>
type Lookup<Made> = Made extends Effect.Effect<infer A, any, any> ? A : never
type LookupError<Made> =
  Lookup<Made> extends CacheRegion.CacheLookup<any, any, infer E, any> ? E : never

exactly<ErrorOf<"plainSound">, never>(true)
exactly<ErrorOf<"plainDown">, "down">(true)
exactly<ErrorOf<"sound">, NotFound>(true)
exactly<ErrorOf<"down">, "down" | NotFound>(true)
exactly<ErrorOf<"missing">, NotFound>(true)
exactly<LookupError<typeof made>, "down" | NotFound>(true)
exactly<LookupError<typeof plainlyMade>, "down">(true)
exactly<typeof failing, CacheRegion.CacheRegion<string, number, NotFound>>(true)
exactly<typeof plain, CacheRegion.CacheRegion<string, number>>(true)
// A cached failure is none to a reader.
exactly<Effect.Effect.Error<ReturnType<typeof failing.get>>, never>(true)
