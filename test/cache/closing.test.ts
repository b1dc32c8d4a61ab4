/** When a cache's scope closes, what it runs ends, and whoever waits for it is told. */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { BackendError, Cache, MemoryBackend } from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import { advance, settleDown } from "../protocol/world.js"
import { yieldingAt } from "../protocol/yieldingAt.js"
import { counting, tiers, withLog } from "./world.js"

/** A cache, and the way to close it. */
const open = (layer: Layer.Layer<Cache>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const context = yield* Layer.buildWithScope(layer, scope)
    return {
      use: Effect.provideService(Cache, Context.get(context, Cache)),
      close: Scope.close(scope, Exit.void)
    }
  })

const outcome = (fiber: Fiber.RuntimeFiber<unknown>) =>
  Effect.gen(function* () {
    yield* settleDown
    const exit = yield* Effect.flatten(Fiber.poll(fiber))
    return Exit.isInterrupted(exit) ? "interrupted" : exit
  })

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("callers are interrupted, and creators with them, their finalizers awaited", () =>
      Effect.gen(function* () {
        const { close, use } = yield* open(layer())
        let cleaned = 0
        const create = Effect.onInterrupt(Effect.never, () =>
          Effect.zipRight(
            Effect.repeatN(Effect.yieldNow(), 20),
            Effect.sync(() => cleaned++)
          )
        )
        const lookup = use(Cache.getOrCreate("k", create))
        const callers = yield* Effect.forEach(Array.from({ length: 100 }), () =>
          Effect.fork(lookup)
        )
        const stubborn = yield* Effect.fork(Effect.uninterruptible(lookup))
        yield* settleDown
        yield* close
        expect(cleaned).toBe(1)
        for (const caller of [...callers, stubborn]) {
          expect(yield* outcome(caller)).toBe("interrupted")
        }
      })
    )

    it.effect("a creator that closes its own cache goes on to its end", () =>
      Effect.gen(function* () {
        const { close, use } = yield* open(layer())
        const lookup = use(Cache.getOrCreate("k", Effect.as(close, "made")))
        const caller = yield* Effect.fork(lookup)
        expect(yield* outcome(caller)).toEqual(Exit.succeed("made"))
      })
    )

    it.effect("what runs behind is interrupted", () =>
      Effect.gen(function* () {
        const { close, use } = yield* open(layer())
        const window = { ttl: "1 minute", staleWhileRevalidate: "1 minute" } as const
        yield* use(Cache.getOrCreate("k", Effect.succeed("old"), window))
        yield* TestClock.adjust("90 seconds")
        let interrupted = 0
        const create = Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
        expect(yield* use(Cache.getOrCreate("k", create, window))).toBe("old")
        yield* settleDown
        yield* close
        expect(interrupted).toBe(1)
      })
    )

    it.effect("callers that come afterwards are interrupted, hits and all", () =>
      Effect.gen(function* () {
        const { close, use } = yield* open(layer())
        yield* use(Cache.getOrCreate("k", Effect.succeed("value")))
        yield* close
        const creator = counting(Effect.succeed("value"))
        for (const lookup of [
          Cache.getOrCreate("k", creator.create),
          Cache.getOrCreate("other", creator.create),
          Cache.getOrCreate("k", creator.create, { refresh: true }),
          Cache.getOrCreate("k", creator.create, { ttl: 0 })
        ]) {
          expect(yield* outcome(yield* Effect.fork(use(lookup)))).toBe("interrupted")
        }
        expect(creator.runs).toBe(0)
      })
    )

    // The caller has seen it open │ it closes │ the caller starts a rebuild: nobody would end that.
    it.effect("who comes while it closes is interrupted, and its creator, wherever it yields", () =>
      Effect.gen(function* () {
        const runFork = Runtime.runFork(yield* Effect.runtime<never>())
        let yields = 0
        for (let step = 1; step <= 60; step++) {
          const { close, use } = yield* open(layer())
          const creators = { begun: 0, ended: 0 }
          const create = Effect.acquireUseRelease(
            Effect.sync(() => creators.begun++),
            () => Effect.never,
            () => Effect.sync(() => creators.ended++)
          )
          const scheduler = yieldingAt(step, () => {
            yields++
            runFork(close)
          })
          const lookup = use(Cache.getOrCreate("k", create))
          const caller = yield* Effect.fork(Effect.withScheduler(lookup, scheduler))
          yield* settleDown
          yield* close
          expect(yield* outcome(caller), `yielding at ${step}`).toBe("interrupted")
          expect(creators.ended, `yielding at ${step}`).toBe(creators.begun)
        }
        expect(yields).toBeGreaterThan(20)
      })
    )

    it.effect("writes and questions that come afterwards do not hang", () =>
      Effect.gen(function* () {
        const { close, use } = yield* open(layer())
        yield* close
        const late = yield* Effect.fork(
          use(
            Effect.all([
              Cache.set("k", 1),
              Cache.invalidate("k"),
              Cache.clear,
              Cache.stats,
              Cache.inspect("k"),
              Cache.health
            ])
          )
        )
        yield* settleDown
        expect(Option.isSome(yield* Fiber.poll(late))).toBe(true)
      })
    )
  })
}

describe("in front of a shared backend", () => {
  const start = Effect.gen(function* () {
    const server = yield* MemoryBackend.make()
    const controlled = yield* ControlledBackend.make(server)
    return { server, controlled, ...(yield* open(Cache.fromBackend(controlled.backend))) }
  })

  it.effect("who waits for another process's lease is interrupted", () =>
    Effect.gen(function* () {
      const { close, server, use } = yield* start
      const token = "held-by-a-person"
      yield* server.lease("larder:k", { intent: "read", token, duration: 1e9 })
      const caller = yield* Effect.fork(use(Cache.getOrCreate("k", Effect.succeed("value"))))
      yield* settleDown
      yield* close
      expect(yield* outcome(caller)).toBe("interrupted")
      expect(yield* server.holder("larder:k")).toMatchObject({ value: { token } })
    })
  )

  it.effect("who waits for a read is interrupted, whether or not its reply comes", () =>
    Effect.gen(function* () {
      const { close, controlled, use } = yield* start
      yield* controlled.hold("getMany")
      const callers = [
        yield* Effect.fork(use(Cache.getOrCreate("k", Effect.succeed("value")))),
        yield* Effect.fork(use(Cache.get("k")))
      ]
      yield* settleDown
      const [closing, lines] = yield* withLog(Effect.zipLeft(Effect.fork(close), settleDown))
      for (const caller of callers) expect(yield* outcome(caller)).toBe("interrupted")
      yield* controlled.release
      yield* Fiber.join(closing)
      // It is no fault of the backend's.
      expect(lines).toEqual([])
      expect(yield* use(Cache.counters)).toMatchObject({ backendErrors: 0, loads: 0 })
    })
  )

  it.effect("the lease of a creator that was ended is given back", () =>
    Effect.gen(function* () {
      const { close, server, use } = yield* start
      yield* Effect.fork(use(Cache.getOrCreate("k", Effect.never)))
      yield* settleDown
      expect(Option.isSome(yield* server.holder("larder:k"))).toBe(true)
      yield* close
      expect(yield* server.holder("larder:k")).toEqual(Option.none())
    })
  )
})

it.scoped("a creator that has much to put in order keeps its lease meanwhile", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const { close, use } = yield* open(Cache.fromBackend(backend))
    const create = Effect.onInterrupt(Effect.never, () => Effect.sleep("20 seconds"))
    yield* Effect.fork(use(Cache.getOrCreate("k", create)))
    yield* settleDown
    const closing = yield* Effect.fork(close)
    yield* advance("15 seconds")
    expect(Option.isSome(yield* backend.holder("larder:k"))).toBe(true)
    yield* advance("6 seconds")
    yield* Fiber.join(closing)
    expect(yield* backend.holder("larder:k")).toEqual(Option.none())
  })
)

it.scoped("a renewal that gets no answer is waited for, not sent anew", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    let renewals = 0
    const deaf = {
      ...backend,
      renew: () =>
        Effect.zipRight(
          Effect.sync(() => renewals++),
          Effect.never
        )
    }
    const { close, use } = yield* open(Cache.fromBackend(deaf, { lease: { duration: "1 second" } }))
    yield* Effect.fork(use(Cache.getOrCreate("k", Effect.never)))
    yield* settleDown
    yield* advance("10 seconds")
    expect(renewals).toBe(1)
    yield* close
  })
)

it.scoped("a renewal that fails when its creator has ended is nobody's concern", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const late = {
      ...backend,
      renew: () =>
        Effect.delay(
          Effect.fail(new BackendError({ backend: "late", command: "renew", reason: "Timeout" })),
          "1 second"
        )
    }
    const { use } = yield* open(Cache.fromBackend(late))
    const lookup = use(Cache.getOrCreate("k", Effect.delay(Effect.succeed(1), "2 seconds")))
    const caller = yield* Effect.fork(lookup)
    yield* settleDown
    yield* advance("5 seconds")
    expect(yield* Fiber.join(caller)).toBe(1)
    expect((yield* use(Cache.counters)).backendErrors).toBe(0)
  })
)
