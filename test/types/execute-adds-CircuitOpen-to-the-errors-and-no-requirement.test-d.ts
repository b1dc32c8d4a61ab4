import type { Context, Effect } from "effect"
import { CircuitBreaker, type CircuitOpen } from "effect-larder"
import { exactly } from "./exactly.js"

type No = { readonly _tag: "No" }

declare const breaker: CircuitBreaker.CircuitBreaker
declare const call: Effect.Effect<number, No, Context.Tag<"S", "S">>
declare const infallible: Effect.Effect<string>

const executed = breaker.execute(call)
const piped = infallible.pipe(breaker.execute)
const made = CircuitBreaker.make()

exactly<typeof executed, Effect.Effect<number, No | CircuitOpen, Context.Tag<"S", "S">>>(true)
exactly<typeof piped, Effect.Effect<string, CircuitOpen>>(true)
exactly<typeof made, Effect.Effect<CircuitBreaker.CircuitBreaker>>(true)
