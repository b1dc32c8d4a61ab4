import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CacheRegion } from "effect-larder"

const User = Schema.Struct({ id: Schema.Number, since: Schema.Date })
const numbers = CacheRegion.make({ name: "n", value: Schema.Number })
const users = CacheRegion.make({ name: "user", value: User })

export const refused = [
  // @ts-expect-error -- a text is no number
  numbers.getOrCreate("k", Effect.succeed("Ada")),
  // @ts-expect-error -- a union with one right member
  numbers.getOrCreate("k", Effect.succeed<number | string>(1)),
  // @ts-expect-error -- what is stored is not what is created
  users.getOrCreate("k", Effect.succeed({ id: 1, since: "1970-01-01" })),
  // @ts-expect-error -- nor may it be set
  users.set("k", { id: 1 }),
  // @ts-expect-error -- the schema is the region's
  numbers.getOrCreate("k", Effect.succeed(1), { schema: Schema.Number }),
  // @ts-expect-error -- options for another type
  numbers.getOrCreate("k", Effect.succeed(1), { ttl: (value: string) => value.length }),
  // @ts-expect-error -- the lookup, too, makes what the schema says
  CacheRegion.withLookup(numbers, (key: string) => Effect.succeed(key))
]
