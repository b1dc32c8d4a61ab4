/** What an operator is told: what is wrong, what that means, and what to do. */
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"
import {
  Cache,
  CacheBackend,
  MemoryBackend,
  MemoryCache,
  MemoryCacheLive,
  NoopCache,
  SharedCache
} from "effect-larder"
import { settleDown } from "../protocol/world.js"
import { faulty, listen, look, open, start } from "./world.js"

const pass = (by: number) => Effect.zipRight(TestClock.adjust(by), settleDown)
const at = (millis: number) => DateTime.unsafeMake(millis)

const degraded = "nothing is read from it or stored there, and each process builds what it needs."
const lastError = "memory: getMany failed (Unavailable)"
const healthy = {
  healthy: true,
  backend: "memory",
  address: Option.none(),
  reachable: true,
  circuit: "closed",
  since: at(0),
  reason: Option.none(),
  pendingInvalidations: 0,
  lastError: Option.none()
}

describe("health", () => {
  it.scoped("is good, of a cache in memory, and over a backend that is in order", () =>
    Effect.gen(function* () {
      expect(yield* Effect.provide(Cache.health, MemoryCache.layer())).toEqual(healthy)
      const process = yield* start()
      expect(yield* process.health).toEqual(healthy)
    })
  )

  const switchedOff = ConfigProvider.fromMap(new Map([["LARDER_CACHE_ENABLED", "false"]]))
  const uncached = {
    "this is NoopCache": Cache.health.pipe(Effect.provide(NoopCache.layer)),
    "LARDER_CACHE_ENABLED is false": Cache.health.pipe(
      Effect.provide(MemoryCacheLive),
      Effect.withConfigProvider(switchedOff)
    ),
    "the cache is local to this process, and SharedCache was asked for": Effect.provide(
      SharedCache.health,
      Layer.provide(SharedCache.fromCache, MemoryCache.layer())
    )
  }
  for (const [why, health] of Object.entries(uncached)) {
    it.effect(`says that nothing is cached, and why: ${why}`, () =>
      Effect.gen(function* () {
        const reason = Option.some(`Nothing is cached: ${why}.`)
        expect(yield* health).toEqual({ ...healthy, backend: "noop", reason })
      })
    )
  }

  it.scoped("says where the backend is, if that says so", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const status = () => ({ address: "memory://here", isReachable: true })
      const process = yield* start({}, { ...server, status })
      expect(yield* process.health).toEqual({ ...healthy, address: Option.some("memory://here") })
    })
  )

  it.scoped("tells the last error, also when all is well again", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* pass(1_000)
      yield* look(process, 1, "Unavailable", process.faulty)
      yield* pass(1_000)
      yield* look(process, 1, undefined, process.faulty)
      const last = Option.some({ at: at(1_000), message: lastError })
      expect(yield* process.health).toEqual({ ...healthy, lastError: last })
    })
  )

  it.scoped("is bad while the circuit is open, and says when it is tried again", () =>
    Effect.withRandom(
      Effect.gen(function* () {
        const process = yield* start()
        yield* pass(500)
        yield* open(process)
        yield* pass(1_500)
        expect(yield* process.health).toEqual({
          ...healthy,
          healthy: false,
          circuit: "open",
          since: at(500),
          reason: Option.some(
            `The circuit to memory is open: ${degraded} It is tried again in 14 s. ` +
              `The last error: ${lastError}.`
          ),
          lastError: Option.some({ at: at(500), message: lastError })
        })
        yield* process.hold("getMany")
        yield* pass(13_500)
        expect(yield* process.health).toMatchObject({
          healthy: false,
          circuit: "half-open",
          since: at(15_500),
          reason: Option.some(
            `The circuit to memory is half-open: ${degraded} It is tried again now. ` +
              `The last error: ${lastError}.`
          )
        })
        yield* (yield* process.next("getMany")).lose
        yield* settleDown
        const message = "memory: getMany failed (Timeout)"
        const last = Option.some({ at: at(15_500), message })
        expect(yield* process.health).toMatchObject({ circuit: "open", lastError: last })
        process.faulty.trouble = undefined
        yield* process.release
        yield* pass(15_000)
        expect(yield* process.health).toEqual({ ...healthy, since: at(30_500), lastError: last })
      }),
      Random.fixed([0])
    )
  )

  it.scoped("is bad while what was invalidated is not confirmed", () =>
    Effect.gen(function* () {
      const process = yield* start()
      yield* process.hold("invalidate")
      const write = yield* Effect.fork(process.run(Cache.invalidate("k")))
      yield* (yield* process.next("invalidate")).lose
      yield* write
      expect(yield* process.health).toMatchObject({
        healthy: false,
        circuit: "closed",
        reason: Option.some(
          "memory has not confirmed 1 invalidation(s): until it does, these keys " +
            "are built in this process. They are replayed by themselves."
        ),
        pendingInvalidations: 1
      })
    })
  )

  for (const [how, why, said] of [
    ["with the reason that is known", "no route", " (no route)"],
    ["without one", undefined, ""]
  ] as const) {
    it.scoped(`is bad while there is no connection, ${how}`, () =>
      Effect.gen(function* () {
        const server = yield* MemoryBackend.make()
        const status = () => ({ address: "memory://there", isReachable: false, reason: why })
        const missing =
          `There is no connection to memory at memory://there${said}. ` +
          "Is it running, and are address, user and password right?"
        const process = yield* start({}, { ...server, status })
        expect(yield* process.health).toEqual({
          ...healthy,
          healthy: false,
          address: Option.some("memory://there"),
          reachable: false,
          circuit: "open",
          reason: Option.some(
            `${missing} The circuit to memory is open: ${degraded} It is tried again in 15 s.`
          )
        })
        const without = yield* start({ breaker: { enabled: false } }, { ...server, status })
        expect(yield* without.health).toMatchObject({
          circuit: "closed",
          reason: Option.some(`${missing} So ${degraded}`)
        })
      })
    )
  }

  it.scoped("is bad of a cache whose backend keeps nothing", () =>
    Effect.gen(function* () {
      const layer = Cache.withFallback(NoopCache.backend, NoopCache.backend)
      const context = yield* Layer.build(layer)
      expect(yield* Effect.provide(Cache.health, context)).toEqual({
        ...healthy,
        healthy: false,
        backend: "noop",
        reason: Option.some(`noop keeps nothing: ${degraded}`)
      })
    })
  )

  it.scoped("names a backend that came late by its own name", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const named = { ...server, name: "shop-db" }
      const other = { ...named, status: () => ({ address: "db:1", isReachable: true }) }
      for (const [backend, address] of [
        [named, "shop-db"],
        [other, "db:1"]
      ] as const) {
        let attempts = 0
        const late = Layer.effect(
          CacheBackend,
          Effect.suspend(() => (++attempts < 2 ? Effect.fail("not yet") : Effect.succeed(backend)))
        )
        const context = yield* Layer.build(Cache.withFallback(late, NoopCache.backend))
        yield* pass(20_000)
        expect(yield* Effect.provide(Cache.health, context)).toMatchObject({
          healthy: true,
          backend: "shop-db",
          address: Option.some(address)
        })
      }
    })
  )

  it.scoped("and so does the event that tells of its outage", () =>
    Effect.gen(function* () {
      const it = faulty({ ...(yield* MemoryBackend.make()), name: "shop-db" })
      let attempts = 0
      const late = Layer.effect(
        CacheBackend,
        Effect.suspend(() => (++attempts < 2 ? Effect.fail("not yet") : Effect.succeed(it.backend)))
      )
      const context = yield* Layer.build(Cache.withFallback(late, NoopCache.backend))
      const run = Effect.provideService(Cache, Context.get(context, Cache))
      yield* pass(20_000)
      const { told } = yield* listen({ run })
      yield* look({ run }, 5, "Unavailable", it)
      expect(yield* told).toContainEqual({
        _tag: "degraded",
        reason: "The circuit to shop-db is open: shop-db: getMany failed (Unavailable)"
      })
    })
  )
})
