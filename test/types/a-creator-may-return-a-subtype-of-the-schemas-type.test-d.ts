import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion } from "effect-larder"
import { exactly } from "./exactly.js"

const Name = Schema.Literal("Ada", "Grace")
const Pet = Schema.Struct({
  name: Schema.optional(Schema.String),
  legs: Schema.NullOr(Schema.Number)
})
const dog = { name: "Rex", legs: 4, tail: true } as const

type Name = typeof Name.Type
type Pet = typeof Pet.Type

const literal = Cache.getOrCreate("k", Effect.succeed("Ada" as const), { schema: Name })
const wider = Cache.getOrCreate("k", Effect.succeed("Ada" as const), { schema: Schema.String })
const never = Cache.getOrCreate("k", Effect.fail("no"), { schema: Schema.Number })
const struct = Cache.getOrCreate("k", Effect.succeed(dog), { ttl: 1, schema: Pet })
const piped = Effect.succeed(dog).pipe(Cache.cached("k", { schema: Pet }))
const pipedLiteral = Effect.succeed("Ada" as const).pipe(Cache.cached("k", { schema: Name }))
const unknown = Cache.getOrCreate("k", Effect.succeed(1), { schema: Schema.Unknown })
const region = CacheRegion.make({ name: "pet", value: Pet }).getOrCreate("k", Effect.succeed(dog))
const byFunction = Cache.getOrCreate("k", Effect.succeed(dog), {
  schema: Pet,
  ttl: (pet) => (exactly<typeof pet, Pet>(true), pet.legs ?? 0)
})

exactly<Effect.Effect.Success<typeof literal>, Name>(true)
exactly<Effect.Effect.Success<typeof wider>, string>(true)
exactly<Effect.Effect.Success<typeof never>, number>(true)
exactly<Effect.Effect.Success<typeof struct>, Pet>(true)
exactly<Effect.Effect.Success<typeof piped>, Pet>(true)
exactly<Effect.Effect.Success<typeof pipedLiteral>, Name>(true)
exactly<Effect.Effect.Success<typeof unknown>, unknown>(true)
exactly<Effect.Effect.Success<typeof region>, Pet>(true)
exactly<Effect.Effect.Success<typeof byFunction>, Pet>(true)
