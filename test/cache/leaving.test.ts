/** Callers that are interrupted leave; the last one to leave ends the creator. */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as List from "effect/List"
import * as Option from "effect/Option"
import * as TRef from "effect/TRef"
import { Cache, MemoryBackend } from "effect-larder"
import * as Core from "../../src/core/cache.js"
import { settings } from "../../src/core/settings.js"
import { advance, settleDown } from "../protocol/world.js"
import { counting, startProcess, tiers } from "./world.js"

/** A creator that never ends by itself, and how often it has been interrupted. */
const endless = (cleaning: Effect.Effect<void> = Effect.void) => {
  const seen = { interrupted: 0, cleaned: 0 }
  const create = Effect.onInterrupt(Effect.never, () =>
    Effect.zipRight(
      Effect.sync(() => seen.interrupted++),
      Effect.zipRight(
        cleaning,
        Effect.sync(() => seen.cleaned++)
      )
    )
  )
  return { seen, create }
}

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("the first caller is interrupted: the others get its creator's value", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<string>()
        const creator = counting(Deferred.await(gate))
        const lookup = Cache.getOrCreate("k", creator.create)
        const first = yield* Effect.fork(lookup)
        yield* settleDown
        const others = yield* Effect.forkAll(Array.from({ length: 100 }, () => lookup))
        yield* settleDown
        yield* Fiber.interrupt(first)
        yield* Deferred.succeed(gate, "value")
        expect(yield* Fiber.join(others)).toEqual(Array(100).fill("value"))
        expect(creator.runs).toBe(1)
        expect(yield* Cache.get("k")).toEqual(Option.some("value"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("who joins a refresh behind, and leaves, does not end it", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<string>()
        const lookup = (create: Effect.Effect<string>, background: boolean) =>
          Cache.getOrCreate("k", create, {
            ttl: "1 second",
            staleWhileRevalidate: "1 hour",
            beta: 0,
            background
          })
        yield* lookup(Effect.succeed("old"), true)
        yield* advance("2 seconds")
        expect(yield* lookup(Deferred.await(gate), true)).toBe("old")
        const joiner = yield* Effect.fork(lookup(Effect.succeed("a second load"), false))
        yield* settleDown
        yield* Fiber.interrupt(joiner)
        yield* Deferred.succeed(gate, "new")
        yield* settleDown
        expect(yield* Cache.get("k")).toEqual(Option.some("new"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("all are interrupted: the creator is, once, and they wait for its finalizers", () =>
      Effect.gen(function* () {
        const { create, seen } = endless(Effect.sleep("1 second"))
        const callers = yield* Effect.forEach(Array.from({ length: 100 }), () =>
          Effect.fork(Cache.getOrCreate("k", create))
        )
        yield* settleDown
        const leaving = yield* Effect.fork(Fiber.interruptAll(callers))
        yield* settleDown
        expect(seen).toEqual({ interrupted: 1, cleaned: 0 })
        expect(yield* Fiber.poll(leaving)).toEqual(Option.none())
        yield* advance("1 second")
        yield* Fiber.join(leaving)
        expect(seen).toEqual({ interrupted: 1, cleaned: 1 })
        expect(yield* Cache.stats).toMatchObject({ size: 0, loads: 1, loadFailures: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("who comes while an abandoned creator cleans up gets a flight of its own", () =>
      Effect.gen(function* () {
        const { create, seen } = endless(Effect.sleep("1 second"))
        const first = yield* Effect.fork(Cache.getOrCreate("k", create))
        yield* settleDown
        const leaving = yield* Effect.fork(Fiber.interrupt(first))
        yield* settleDown
        const newcomer = yield* Effect.fork(Cache.getOrCreate("k", Effect.succeed("new")))
        yield* settleDown
        // A shared backend gives the lease once the first has cleaned up.
        if (name === "memory") expect(yield* newcomer).toBe("new")
        yield* advance("1 second")
        yield* Fiber.join(leaving)
        expect(yield* newcomer).toBe("new")
        expect(seen.interrupted).toBe(1)
        expect(yield* Cache.get("k")).toEqual(Option.some("new"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("an uninterruptible caller does not leave", () =>
      Effect.gen(function* () {
        const gate = yield* Deferred.make<string>()
        const caller = yield* Effect.fork(
          Effect.uninterruptible(Cache.getOrCreate("k", Deferred.await(gate)))
        )
        yield* settleDown
        yield* Fiber.interruptFork(caller)
        yield* settleDown
        expect(yield* Fiber.poll(caller)).toEqual(Option.none())
        yield* Deferred.succeed(gate, "value")
        yield* Fiber.await(caller)
        expect(yield* Cache.get("k")).toEqual(Option.some("value"))
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a creator can be interrupted though its caller cannot", () =>
      Effect.gen(function* () {
        const { create, seen } = endless()
        const timed = Effect.timeoutOption(create, Duration.seconds(1))
        const caller = yield* Effect.fork(Effect.uninterruptible(Cache.getOrCreate("k", timed)))
        yield* advance("1 second")
        expect(yield* Fiber.join(caller)).toEqual(Option.none())
        expect(seen).toEqual({ interrupted: 1, cleaned: 1 })
      }).pipe(Effect.provide(layer({ ttl: 0 })))
    )

    it.effect("who leaves with a time limit of its own does not end the others' creator", () =>
      Effect.gen(function* () {
        const creator = counting(Effect.as(Effect.sleep("2 seconds"), "value"))
        const lookup = Cache.getOrCreate("k", creator.create)
        const hasty = yield* Effect.fork(Effect.timeoutOption(lookup, "1 second"))
        const patient = yield* Effect.fork(lookup)
        yield* advance("2 seconds")
        expect(yield* hasty).toEqual(Option.none())
        expect(yield* patient).toBe("value")
        expect(creator.runs).toBe(1)
      }).pipe(Effect.provide(layer()))
    )
  })
}

describe("while another process holds the lease", () => {
  class Name extends Context.Tag("test/Name")<Name, string>() {}

  /** A process in whose way someone stands, until `free` says otherwise. */
  const start = Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    const token = "held-by-a-person"
    yield* backend.lease("larder:k", { intent: "read", token, duration: 1e9 })
    return {
      backend,
      cache: yield* startProcess(backend),
      free: Effect.zipRight(backend.release("larder:k", token), advance("400 millis"))
    }
  })

  it.scoped("the first caller leaves: the next one's creator and surroundings are used", () =>
    Effect.gen(function* () {
      const { cache, free } = yield* start
      const ref = yield* FiberRef.make("nobody's")
      const caller = (who: string) => {
        const create = Effect.all([Effect.succeed(who), Name, FiberRef.getAndSet(ref, "changed")])
        const creator = counting(Effect.zip(create, Effect.orDie(Effect.currentSpan)))
        const lookup = cache(Cache.getOrCreate("k", creator.create, { ttl: 0.5 * 3_600_000 }))
        return Effect.map(
          Effect.all([lookup, FiberRef.get(ref), Effect.orDie(Effect.currentSpan)]).pipe(
            Effect.withSpan(who),
            Effect.provideService(Name, who),
            Effect.locally(ref, who),
            Effect.fork
          ),
          (fiber) => ({ creator, fiber })
        )
      }
      const first = yield* caller("first")
      yield* settleDown
      const second = yield* caller("second")
      yield* settleDown
      yield* Fiber.interrupt(first.fiber)
      yield* free
      const [[made, span], after, own] = yield* Fiber.join(second.fiber)
      expect(made).toEqual(["second", "second", "second"])
      expect(after).toBe("second")
      expect(Option.getOrUndefined(span.parent)).toBe(own)
      expect([first.creator.runs, second.creator.runs]).toEqual([0, 1])
    })
  )

  it.scoped("the lead goes from hand to hand, and to nobody who has left", () =>
    Effect.gen(function* () {
      const { cache, free } = yield* start
      const callers = yield* Effect.forEach([0, 1, 2, 3, 4], (who) =>
        Effect.zipLeft(Effect.fork(cache(Cache.getOrCreate("k", Effect.succeed(who)))), settleDown)
      )
      for (const leaving of [3, 0, 4, 1]) yield* Fiber.interrupt(callers[leaving]!)
      yield* free
      expect(yield* Fiber.join(callers[2]!)).toBe(2)
      expect((yield* cache(Cache.counters)).loads).toBe(1)
    })
  )

  // It does not leave, so it may lead; but what is taken from its surroundings must
  // not be the word to stop.
  it.scoped("the lead goes to an uninterruptible caller, though it has been told to stop", () =>
    Effect.gen(function* () {
      const { cache, free } = yield* start
      const first = yield* Effect.fork(cache(Cache.getOrCreate("k", Effect.never)))
      yield* settleDown
      const creator = counting(Effect.as(Effect.yieldNow(), "value"))
      const second = yield* Effect.fork(
        Effect.uninterruptible(cache(Cache.getOrCreate("k", creator.create)))
      )
      yield* settleDown
      yield* Fiber.interruptFork(second)
      yield* settleDown
      yield* Fiber.interrupt(first)
      yield* free
      yield* Fiber.await(second)
      expect(creator.runs).toBe(1)
      expect(yield* cache(Cache.get("k"))).toEqual(Option.some("value"))
    })
  )

  it.scoped("a creator that was handed the lead ends with its last caller, too", () =>
    Effect.gen(function* () {
      const { backend, cache, free } = yield* start
      const { create, seen } = endless(Effect.yieldNow())
      const first = yield* Effect.fork(cache(Cache.getOrCreate("k", Effect.never)))
      yield* settleDown
      const second = yield* Effect.fork(cache(Cache.getOrCreate("k", create)))
      yield* settleDown
      yield* Fiber.interrupt(first)
      yield* free
      yield* Fiber.interrupt(second)
      expect(seen).toEqual({ interrupted: 1, cleaned: 1 })
      expect(yield* backend.holder("larder:k")).toEqual(Option.none())
    })
  )

  it.scoped("all leave: no creator runs, and the lease is nobody's once it is free", () =>
    Effect.gen(function* () {
      const { backend, cache, free } = yield* start
      const creator = counting(Effect.succeed("value"))
      const callers = yield* Effect.forkAll(
        Array.from({ length: 100 }, () => cache(Cache.getOrCreate("k", creator.create)))
      )
      yield* settleDown
      expect(Exit.isInterrupted(yield* Fiber.interrupt(callers))).toBe(true)
      yield* free
      expect(creator.runs).toBe(0)
      expect(yield* backend.holder("larder:k")).toEqual(Option.none())
    })
  )
})

it.scoped("a reader that leaves before its read is sent takes nobody with it", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    yield* (yield* startProcess(backend))(Cache.set("k", "value"))
    let flush = (): void => undefined
    const defer = (flushing: () => void) => {
      flush = flushing
    }
    const service = yield* Core.make({ backend }, settings({ beta: 0 }, { defer }))
    const lookup = Effect.provideService(
      Cache.getOrCreate("k", Effect.succeed("new")),
      Cache,
      service
    )
    const first = yield* Effect.fork(lookup)
    yield* settleDown
    const second = yield* Effect.fork(lookup)
    yield* settleDown
    yield* Fiber.interrupt(first)
    flush()
    expect(yield* Fiber.join(second)).toBe("value")
    expect(yield* service.counters(undefined)).toMatchObject({
      hits: 1,
      loads: 0,
      backendErrors: 0
    })
  })
)

it.scoped("who came and left is not kept by a creator that takes its time", () =>
  Effect.gen(function* () {
    const path = yield* Core.makePath({ capacity: 10 }, settings({ beta: 0 }))
    const service = yield* Core.serve(path)
    const { create } = endless()
    const lookup = Effect.provideService(Cache.getOrCreate("k", create), Cache, service)
    yield* Effect.fork(lookup)
    yield* settleDown
    const others = yield* Effect.forEach(Array.from({ length: 100 }), () => Effect.fork(lookup))
    yield* settleDown
    expect(path.rebuilds.get("k")?.waiters?.length).toBe(101)
    yield* Effect.forEach(others.slice(0, 70), Fiber.interrupt)
    expect(path.rebuilds.get("k")?.waiters?.length).toBe(31)
    yield* Effect.forEach(others.toReversed(), Fiber.interrupt)
    expect(path.rebuilds.get("k")?.waiters?.length).toBe(1)
  })
)

// Another process holds the lease for minutes, and callers give up after a second:
// each of them would be kept, with all that its creator holds, until that lease ends.
it.scoped("who came and left is not kept while a lease is waited for", () =>
  Effect.gen(function* () {
    const backend = yield* MemoryBackend.make()
    yield* backend.lease("larder:k", { intent: "read", token: "another's", duration: 1e9 })
    const path = yield* Core.makePath({ backend }, settings({ beta: 0 }))
    const service = yield* Core.serve(path)
    const lookup = (made: string) =>
      Effect.provideService(Cache.getOrCreate("k", Effect.succeed(made)), Cache, service)
    const first = yield* Effect.fork(lookup("first"))
    yield* settleDown
    const staying = yield* Effect.fork(lookup("staying"))
    yield* settleDown
    for (let nth = 0; nth < 300; nth++) {
      const leaving = yield* Effect.fork(lookup("leaving"))
      yield* settleDown
      yield* Fiber.interrupt(leaving)
    }
    const crew = path.rebuilds.get("k")?.crew
    const { heirs, waiting } = yield* TRef.get(crew as NonNullable<typeof crew>)
    expect([waiting, List.size(heirs) <= 20]).toEqual([2, true])
    yield* Fiber.interrupt(first)
    yield* Effect.zipRight(backend.release("larder:k", "another's"), advance("400 millis"))
    expect(yield* Fiber.join(staying)).toBe("staying")
  })
)
