/** Which reads travel together, and when. */
import { expect, it } from "@effect/vitest"
import { MemoryBackend } from "effect-larder"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Gather, type Read } from "../../src/core/gather.js"

/** A gather over a server that answers when it is told to, and what has been sent to it. */
const scene = Effect.gen(function* () {
  const backend = yield* MemoryBackend.make()
  const fiber = yield* Effect.withFiberRuntime<any>((it) => Effect.succeed(it))
  const sent: Array<{
    readonly keys: ReadonlyArray<string>
    readonly answer: Effect.Effect<void>
  }> = []
  const flushes: Array<{ readonly flush: () => void; readonly isBusy: boolean }> = []
  const gather = new Gather(
    {
      ...backend,
      // All can be read together, but those that are said to be elsewhere.
      groupOf: (key) => key.startsWith("elsewhere"),
      getMany: (keys) =>
        Effect.flatMap(Deferred.make<void>(), (answered) => {
          sent.push({ keys, answer: Effect.asVoid(Deferred.succeed(answered, undefined)) })
          return Effect.as(
            Deferred.await(answered),
            keys.map(() => "an entry")
          )
        })
    },
    (key) => key,
    () => undefined,
    (flush, isBusy) => flushes.push({ flush, isBusy })
  )
  const read = (key: string, then: (read: Read) => void = () => undefined): void => {
    gather.read(key, fiber, {
      take: (reply) => {
        if (reply._tag === "Stored") then(reply.read)
      }
    })
  }
  return {
    gather,
    read,
    sizes: () => sent.map(({ keys }) => keys.length),
    answer: (nth: number) =>
      Effect.zipRight(
        Effect.suspend(() => sent[nth]?.answer ?? Effect.void),
        Effect.yieldNow()
      ),
    /** Sends what has been gathered; gives whether others were out. */
    flush: () => {
      const next = flushes.shift()
      next?.flush()
      return next?.isBusy
    }
  }
})

const crowd = Array.from({ length: 60 }, (_, index) => `key ${index}`)

it.effect("of a crowd that asks again when it is served, half goes before the rest has asked", () =>
  Effect.gen(function* () {
    const { answer, flush, read, sizes } = yield* scene
    for (const key of crowd) read(key, () => read(key))
    expect(flush()).toBe(false)
    expect(sizes()).toEqual([60])
    yield* answer(0)
    expect(sizes()).toEqual([60, 30])
    flush()
    expect(sizes()).toEqual([60, 30, 30])
  })
)

it.effect("a small crowd goes in three parts", () =>
  Effect.gen(function* () {
    const { answer, flush, read, sizes } = yield* scene
    for (const key of crowd.slice(0, 9)) read(key, () => read(key))
    flush()
    yield* answer(0)
    expect(sizes()).toEqual([9, 3, 3])
    flush()
    expect(sizes()).toEqual([9, 3, 3, 3])
  })
)

it.effect("while half of a large crowd is out, the other is not halved again", () =>
  Effect.gen(function* () {
    const { answer, flush, read, sizes } = yield* scene
    for (const key of crowd) read(key, () => read(key, () => read(key)))
    flush()
    yield* answer(0)
    flush()
    yield* answer(1)
    expect(flush()).toBe(true)
    expect(sizes()).toEqual([60, 30, 30, 30])
  })
)

it.effect("keys that cannot be read together travel apart, in their order", () =>
  Effect.gen(function* () {
    const { answer, flush, read, sizes } = yield* scene
    const served: Array<string> = []
    for (const key of ["a", "elsewhere 1", "b", "elsewhere 2", "c"]) {
      read(key, (it) => served.push(it.key))
    }
    flush()
    expect(sizes()).toEqual([3, 2])
    yield* answer(1)
    expect(served).toEqual(["elsewhere 1", "elsewhere 2"])
    yield* answer(0)
    expect(served.slice(2)).toEqual(["a", "b", "c"])
  })
)

it.effect("a few travel as one all the same", () =>
  Effect.gen(function* () {
    const { answer, flush, read, sizes } = yield* scene
    for (const key of crowd.slice(0, 3)) read(key, () => read(key))
    flush()
    yield* answer(0)
    flush()
    expect(sizes()).toEqual([3, 3])
  })
)

it.effect("who asks while a read is out waits for others who may come", () =>
  Effect.gen(function* () {
    const { flush, read } = yield* scene
    read("a")
    expect(flush()).toBe(false)
    read("b")
    read("c")
    expect(flush()).toBe(true)
    expect(flush()).toBeUndefined()
  })
)

it.effect("a write voids the reads of its own key, on their way or not yet", () =>
  Effect.gen(function* () {
    const { answer, flush, gather, read } = yield* scene
    const voided: Record<string, boolean> = {}
    const note = ({ isVoided, key }: Read) => {
      voided[key] = isVoided
    }
    for (const key of ["a", "b"]) read(key, note)
    flush()
    for (const key of ["c", "d"]) read(key, note)
    gather.voidRead("a")
    gather.voidRead("c")
    flush()
    yield* answer(0)
    yield* answer(1)
    expect(voided).toEqual({ a: true, b: false, c: true, d: false })
  })
)
