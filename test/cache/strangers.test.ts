/** What lies at our key and is none of ours, or is broken, or is of another time, is a miss. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache, MemoryBackend } from "effect-larder"
import * as Envelope from "../../src/policy/envelope.js"
import { type Header, writeHeader } from "../../src/policy/header.js"
import { counting, crowd, startProcess } from "./world.js"

describe("in a shared backend", () => {
  const header: Header = {
    codec: "j",
    kind: "v",
    createdAt: 0,
    expiresAt: Infinity,
    staleUntil: Infinity,
    errorUntil: Infinity,
    delta: 0,
    version: 0,
    stamp: "0123456789abcdef"
  }
  const text = (payload: string, changed: Partial<Header> = {}) =>
    writeHeader({ ...header, ...changed }) + payload
  const sound = text('"theirs"')

  it.scoped("what these tests write by hand is an entry, when it is sound", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const cache = yield* startProcess(backend)
      yield* backend.set("larder:k", sound, Infinity)
      expect(yield* cache(Cache.getOrCreate("k", Effect.succeed("ours")))).toBe("theirs")
    })
  )

  it.scoped.each([
    ["nothing", ""],
    ["a stranger's value", "42"],
    ["a stranger's long value", "x".repeat(500)],
    ["bytes of a stranger", new Uint8Array(300).fill(255)],
    ["an older format", sound.replace("L1", "L0")],
    ["a newer format", sound.replace("L1", "L2")],
    ["an entry cut within its header", sound.slice(0, 60)],
    ["an entry cut within its payload", sound.slice(0, -1)],
    ["a payload that is not JSON", text("theirs")],
    ["no payload", text("")],
    ["a field that is no number", sound.replace("000000000", "00000000x")],
    ["an entry with tags it does not have", `${sound.slice(0, 104)}0500 ${sound.slice(109)}`],
    [
      "bytes that are not UTF-8",
      Envelope.encode({ ...header, codec: "j" }, new Uint8Array([34, 255, 34]))
    ],
    [
      "bytes of a codec we do not have",
      Envelope.encode({ ...header, codec: "b" }, new Uint8Array(4))
    ],
    ["another version", text('"theirs"', { version: 7 })],
    ["a cached failure, where none are cached", text('"theirs"', { kind: "e" })]
  ] as ReadonlyArray<[string, string | Uint8Array]>)(
    "%s at our key is a miss, and replaced",
    ([, stored]) =>
      Effect.gen(function* () {
        const backend = yield* MemoryBackend.make()
        const cache = yield* startProcess(backend)
        yield* backend.set("larder:k", stored, Infinity)
        expect(yield* cache(Cache.get("k"))).toEqual(Option.none())
        expect(yield* cache(Cache.counters)).toMatchObject({ misses: 1, decodeErrors: 1 })
        const creator = counting(Effect.succeed("ours"))
        const lookup = cache(Cache.getOrCreate("k", creator.create))
        expect([yield* lookup, yield* lookup]).toEqual(["ours", "ours"])
        expect(creator.runs).toBe(1)
        expect(yield* cache(Cache.counters)).toMatchObject({
          hits: 1,
          misses: 2,
          decodeErrors: 2,
          backendErrors: 0
        })
      })
  )

  it.effect.prop(
    "no text at our key keeps a reader from its value",
    [
      FastCheck.oneof(
        FastCheck.string(),
        FastCheck.string().map(text),
        FastCheck.nat(sound.length - 1)
      )
    ],
    ([broken]) =>
      Effect.scoped(
        Effect.gen(function* () {
          const stored =
            typeof broken === "number"
              ? `${sound.slice(0, broken)}\0${sound.slice(broken + 1)}`
              : broken
          const backend = yield* MemoryBackend.make()
          const cache = yield* startProcess(backend)
          yield* backend.set("larder:k", stored, Infinity)
          const schema = Schema.Literal("ours")
          const creator = counting(Effect.succeed("ours" as const))
          const lookup = cache(Cache.getOrCreate("k", creator.create, { schema }))
          expect(yield* Effect.replicateEffect(lookup, 3)).toEqual(["ours", "ours", "ours"])
          expect(creator.runs).toBe(1)
        })
      ),
    { fastCheck: { numRuns: 40 } }
  )

  it.scoped("500 readers of a broken entry make one load", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const cache = yield* startProcess(backend)
      yield* backend.set("larder:k", text("theirs"), Infinity)
      const creator = counting(Effect.succeed("ours"))
      yield* cache(crowd(500, Cache.getOrCreate("k", creator.create)))
      expect(creator.runs).toBe(1)
    })
  )

  it.scoped("bytes are read as text is, where the driver gives bytes", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const cache = yield* startProcess(backend)
      yield* backend.set("larder:k", new TextEncoder().encode(text('"é😀"')), Infinity)
      expect(yield* cache(Cache.get("k"))).toEqual(Option.some("é😀"))
    })
  )
})
