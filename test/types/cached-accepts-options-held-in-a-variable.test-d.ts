import type * as Effect from "effect/Effect"
import { Cache, type GetOrCreateOptions } from "effect-larder"
import { exactly } from "./exactly.js"

declare const options: GetOrCreateOptions<number>
declare const number: Effect.Effect<number, "down">
declare const text: Effect.Effect<string>

const piped = number.pipe(Cache.cached("k", options))

exactly<typeof piped, Effect.Effect<number, "down", Cache>>(true)

// @ts-expect-error -- there may be a schema in them, and it is not the creator's
export const refused = text.pipe(Cache.cached("k", options))
