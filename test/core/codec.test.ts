/** Bytes of the user's own in the place of JSON, and who can read them. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import {
  Cache,
  type CacheBackend,
  type CacheCodec,
  CacheRegion,
  MemoryBackend
} from "effect-larder"
import * as V8 from "node:v8"

const structured: CacheCodec = { encode: V8.serialize, decode: V8.deserialize }

/** A cache over the backend, as one process has it. */
const process = (backend: CacheBackend, codec?: CacheCodec) =>
  Effect.map(
    Layer.build(Cache.fromBackend(backend, { codec })),
    (context) =>
      <A, E>(effect: Effect.Effect<A, E, Cache>) =>
        Effect.provide(effect, context)
  )

const inTurn = <A, E>(
  body: (backend: CacheBackend) => Effect.Effect<A, E, Scope.Scope>
): Effect.Effect<A, E> => Effect.scoped(Effect.flatMap(MemoryBackend.make(), body))

const never = Effect.dieMessage("the creator of an entry that is there ran")

describe("a codec", () => {
  it.live("keeps what JSON would lose, undefined and failures included", () =>
    inTurn((backend) =>
      Effect.gen(function* () {
        const [one, other] = [
          yield* process(backend, structured),
          yield* process(backend, structured)
        ]
        const values = [new Date(0), new Map([["key", Uint8Array.of(0, 255)]]), undefined, NaN, 1n]
        for (const [index, value] of values.entries()) {
          yield* one(Cache.getOrCreate(`key ${index}`, Effect.succeed(value)))
          expect(
            yield* other(Cache.getOrCreate<unknown, never, never>(`key ${index}`, never))
          ).toEqual(value)
        }
        const region = CacheRegion.make({
          name: "region",
          value: Schema.Number,
          error: Schema.Struct({ why: Schema.String })
        })
        const failing = region.getOrCreate("key", Effect.fail({ why: "none" }))
        expect(yield* Effect.flip(one(failing))).toEqual({ why: "none" })
        expect(yield* Effect.flip(other(region.getOrCreate("key", never)))).toEqual({ why: "none" })
      })
    )
  )

  it.live("that throws stores nothing, and reads nothing, and harms nobody", () =>
    inTurn((backend) =>
      Effect.gen(function* () {
        const broken: CacheCodec = {
          encode: () => {
            throw new Error("encode")
          },
          decode: () => {
            throw new Error("decode")
          }
        }
        const [mute, speaking] = [
          yield* process(backend, broken),
          yield* process(backend, structured)
        ]
        expect(yield* mute(Cache.getOrCreate("key", Effect.succeed(1)))).toBe(1)
        expect(yield* speaking(Cache.get("key"))).toEqual(Option.none())
        yield* speaking(Cache.set("key", 2))
        expect(yield* mute(Cache.get("key"))).toEqual(Option.none())
        expect(yield* mute(Cache.get("key", Schema.Number))).toEqual(Option.none())
        expect(yield* mute(Cache.counters)).toMatchObject({ encodeErrors: 1, decodeErrors: 2 })
      })
    )
  )

  it.live("reads what was stored as JSON; without it, bytes are a miss", () =>
    inTurn((backend) =>
      Effect.gen(function* () {
        const [withIt, without] = [yield* process(backend, structured), yield* process(backend)]
        yield* without(Cache.set("json", { a: 1 }))
        expect(yield* withIt(Cache.get("json"))).toEqual(Option.some({ a: 1 }))
        yield* withIt(Cache.set("bytes", { a: 1 }))
        expect(yield* without(Cache.get("bytes"))).toEqual(Option.none())
        expect(yield* without(Cache.getOrCreate("bytes", Effect.succeed("new")))).toBe("new")
        expect(yield* without(Cache.counters)).toMatchObject({ decodeErrors: 2 })
      })
    )
  )

  it.live("over a backend that keeps text alone is a defect, which says so", () =>
    inTurn((backend) =>
      Effect.gen(function* () {
        const textual = { ...backend, capabilities: { ...backend.capabilities, bytes: false } }
        const exit = yield* Effect.exit(process(textual, structured))
        const defect = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(String(defect)).toContain("the backend memory keeps text alone")
      })
    )
  )
})
