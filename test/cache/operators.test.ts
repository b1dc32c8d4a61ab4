/** What an operator can ask: stats, keys, inspect, health and events. */
import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { Cache, MemoryBackend } from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import { settleDown } from "../protocol/world.js"
import { crowd, keys, listening, memory, shared, startProcess, tiers } from "./world.js"

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("stats name the keys in order, fresh or stale, and say the same twice", () =>
      Effect.gen(function* () {
        const window = { ttl: "1 minute", staleWhileRevalidate: "1 minute" } as const
        yield* Cache.getOrCreate("stale", Effect.succeed(1), window)
        yield* Cache.getOrCreate("expired", Effect.succeed(1), { ttl: "1 minute" })
        yield* TestClock.adjust("90 seconds")
        yield* Cache.set("fresh", 1)
        const expected = { size: 2, keys: ["fresh", "stale"], truncated: false, misses: 2 }
        expect(yield* Cache.stats).toMatchObject(expected)
        expect(yield* Cache.stats).toMatchObject(expected)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("stats name a thousand keys, and say that there are more; `keys` names all", () =>
      Effect.gen(function* () {
        for (let key = 0; key < 1_000; key++) yield* Cache.set(`k${key}`, key)
        expect(yield* Cache.stats).toMatchObject({ size: 1_000, truncated: false })
        yield* Cache.set("one more", 1)
        const { keys: named, size, truncated } = yield* Cache.stats
        expect([named.length, size, truncated]).toEqual([1_000, 1_001, true])
        expect(yield* keys).toHaveLength(1_001)
      }).pipe(Effect.provide(layer()))
    )

    it.effect("inspect tells an entry's times, and nothing of one that is not there", () =>
      Effect.gen(function* () {
        const creating = yield* Effect.fork(
          Cache.getOrCreate("k", Effect.as(Effect.sleep("2 seconds"), "value"), {
            ttl: "1 minute",
            staleWhileRevalidate: "1 minute"
          })
        )
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(creating)
        const inspect = Effect.flatten(Cache.inspect("k"))
        yield* TestClock.adjust("20 seconds")
        expect(yield* inspect).toMatchObject({
          key: "k",
          kind: "value",
          freshness: "fresh",
          age: Duration.seconds(20),
          timeToLive: Duration.seconds(40),
          delta: Duration.seconds(2),
          version: 0,
          lease: Option.none()
        })
        yield* TestClock.adjust("50 seconds")
        expect(yield* inspect).toMatchObject({ freshness: "stale", timeToLive: Duration.zero })
        yield* TestClock.adjust("50 seconds")
        expect(yield* Cache.inspect("k")).toEqual(Option.none())
        expect(yield* Cache.inspect("nothing")).toEqual(Option.none())
        // Asking is no lookup.
        expect(yield* Cache.counters).toMatchObject({ hits: 0, misses: 1, stale: 0 })
      }).pipe(Effect.provide(layer()))
    )

    it.effect("a cache that is well says so, and since when", () =>
      Effect.gen(function* () {
        yield* TestClock.adjust("1 minute")
        expect(yield* Cache.health).toMatchObject({
          healthy: true,
          backend: "memory",
          circuit: "closed",
          reason: Option.none(),
          pendingInvalidations: 0,
          since: DateTime.unsafeMake(0)
        })
      }).pipe(Effect.provide(layer()))
    )

    it.scoped("nothing is reported of hits, misses and writes", () =>
      Effect.gen(function* () {
        const events = yield* listening
        yield* crowd(10, Cache.getOrCreate("k", Effect.succeed(1)))
        yield* crowd(10, Cache.getOrCreate("k", Effect.succeed(1)))
        yield* Effect.exit(Cache.getOrCreate("bad", Effect.fail("down")))
        yield* Cache.set("k", 1)
        yield* Cache.invalidate("k")
        yield* Cache.clear
        yield* settleDown
        expect(events).toEqual([])
      }).pipe(Effect.provide(layer()))
    )
  })
}

it.effect("inspect says where an entry is, and how large", () =>
  Effect.gen(function* () {
    const inspected = Effect.zipRight(Cache.set("k", "value"), Effect.flatten(Cache.inspect("k")))
    const inMemory = yield* Effect.provide(inspected, memory.layer())
    expect(inMemory).toMatchObject({ form: "memory", size: Option.none() })
    const inShared = yield* Effect.provide(inspected, shared.layer())
    expect(inShared).toMatchObject({ form: "shared", size: { value: 109 + '"value"'.length } })
  })
)

describe("in front of a shared backend", () => {
  it.scoped("inspect says who rebuilds an entry now, and for how long", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const cache = yield* startProcess(backend)
      yield* cache(Cache.set("k", "value"))
      yield* Effect.fork(cache(Cache.getOrCreate("k", Effect.never, { refresh: true })))
      yield* settleDown
      yield* TestClock.adjust("1 second")
      const [info, holder] = yield* Effect.all([
        Effect.flatten(cache(Cache.inspect("k"))),
        Effect.flatten(backend.holder("larder:k"))
      ])
      expect(info.lease).toEqual(
        Option.some({ token: holder.token, remaining: Duration.seconds(4) })
      )
    })
  )

  it.scoped("an unconfirmed write is an event, and told by health until it is confirmed", () =>
    Effect.gen(function* () {
      const controlled = yield* ControlledBackend.make(yield* MemoryBackend.make())
      const cache = yield* startProcess(controlled.backend)
      const events = yield* cache(listening)
      yield* controlled.hold("invalidate")
      const invalidating = yield* Effect.fork(cache(Cache.invalidate("k")))
      yield* (yield* controlled.next("invalidate")).lose
      yield* Fiber.join(invalidating)
      expect(yield* cache(Cache.health)).toMatchObject({
        healthy: false,
        pendingInvalidations: 1,
        reason: Option.some(expect.stringContaining("not confirmed 1 invalidation"))
      })
      yield* controlled.release
      yield* settleDown
      yield* TestClock.adjust("10 seconds")
      expect(yield* cache(Cache.health)).toMatchObject({ healthy: true, reason: Option.none() })
      expect(events).toEqual([
        { _tag: "invalidationPending", key: "k" },
        { _tag: "invalidationConfirmed", key: "k" }
      ])
    })
  )

  it.scoped("a commit that was refused, and a takeover, are events", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const cache = yield* startProcess(backend)
      const events = yield* cache(listening)
      const gate = yield* Deferred.make<string>()
      const overtaken = yield* Effect.fork(cache(Cache.getOrCreate("k", Deferred.await(gate))))
      yield* settleDown
      yield* cache(Cache.invalidate("k"))
      yield* Deferred.succeed(gate, "old")
      yield* Fiber.join(overtaken)

      const vanished = { intent: "read", token: "of-a-dead-process", duration: 5_000 } as const
      yield* backend.lease("larder:vanished", vanished)
      const waiting = yield* Effect.fork(
        cache(Cache.getOrCreate("vanished", Effect.succeed("value")))
      )
      yield* settleDown
      yield* TestClock.adjust("6 seconds")
      yield* Fiber.join(waiting)
      yield* settleDown
      expect(events).toEqual([
        { _tag: "fencedWrite", key: "k" },
        { _tag: "takeover", key: "vanished" }
      ])
      expect(yield* cache(Cache.counters)).toMatchObject({ fencedWrites: 1, takeovers: 1 })
    })
  )

  it.scoped("a listener that is slow loses the oldest events, and holds nobody up", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const cache = yield* startProcess(backend)
      const gate = yield* Deferred.make<void>()
      const heard: Array<string> = []
      yield* Effect.fork(
        Stream.runForEach(Cache.events, (event) =>
          Effect.zipRight(
            Deferred.await(gate),
            Effect.sync(() => heard.push("key" in event ? event.key : event._tag))
          )
        ).pipe(cache)
      )
      yield* settleDown
      for (let at = 0; at < 400; at++) {
        const overtaking = Effect.zipRight(Cache.invalidate(`k${at}`), Effect.succeed(at))
        yield* cache(Cache.getOrCreate(`k${at}`, overtaking))
      }
      yield* Deferred.succeed(gate, undefined)
      yield* settleDown
      yield* settleDown
      yield* settleDown
      expect(heard.at(-1)).toBe("k399")
      expect(heard.length).toBeLessThan(400)
    })
  )
})
