import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion } from "effect-larder"
import { exactly } from "./exactly.js"

type Id = { readonly tenant: string; readonly id: number }

declare const unset: undefined

const value = Schema.Number
const plain = CacheRegion.make({ name: "n", value })
const undefinedKey = CacheRegion.make({ name: "n", value, key: unset })
const numbers = CacheRegion.make({ name: "n", value, key: (id: number) => String(id) })
const ids = CacheRegion.make({ name: "n", value, key: ({ id, tenant }: Id) => `${tenant}/${id}` })
const explicit = CacheRegion.make({ name: "n", value, key: (id: "a" | "b") => id, cache: Cache })

exactly<Parameters<typeof plain.get>, [key: string]>(true)
exactly<Parameters<typeof undefinedKey.get>, [key: string]>(true)
exactly<Parameters<typeof numbers.get>, [key: number]>(true)
exactly<Parameters<typeof ids.invalidate>, [key: Id]>(true)
exactly<Parameters<typeof explicit.get>, [key: "a" | "b"]>(true)

export const refused = [
  // @ts-expect-error -- no function makes a string of it
  plain.get(1),
  // @ts-expect-error -- nor of this
  plain.getOrCreate({ id: 1 }, Effect.succeed(1)),
  // @ts-expect-error -- a number is expected
  numbers.get("1"),
  // @ts-expect-error -- a tenant is missing
  ids.set({ id: 1 }, 1),
  // @ts-expect-error -- no such key
  explicit.get("c"),
  // @ts-expect-error -- it must become a string
  CacheRegion.make({ name: "n", value, key: (id: number) => id })
]
