/** `clear` removes what is its own, whatever the neighbours are called. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion, MemoryBackend } from "effect-larder"
import { settleDown } from "../protocol/world.js"
import { keys, startProcess, tiers } from "./world.js"

const region = (name: string) => CacheRegion.make({ name, value: Schema.Number })

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    it.effect("clear removes everything", () =>
      Effect.gen(function* () {
        for (let key = 0; key < 50; key++) yield* Cache.set(`k${key}`, key)
        yield* region("user").set("1", 1)
        yield* Cache.clear
        expect(yield* keys).toEqual([])
        expect(yield* Cache.get("k1")).toEqual(Option.none())
      }).pipe(Effect.provide(layer()))
    )

    it.effect("clear of a region removes its entries, and nobody else's", () =>
      Effect.gen(function* () {
        const names = ["user", "user2", "use", "User", "user*", "user:1", "*", "us[e]r", "", "%"]
        for (const name of names) yield* region(name).set("1", 1)
        yield* Cache.set("user", 1)
        yield* Cache.set("user1", 1)
        for (const cleared of ["user", "user*", "*", "us[e]r", ""]) {
          yield* region(cleared).clear
          expect(yield* region(cleared).get("1")).toEqual(Option.none())
        }
        for (const spared of ["user2", "use", "User", "user:1", "%"]) {
          expect(yield* region(spared).get("1")).toEqual(Option.some(1))
        }
        expect(yield* Cache.get("user")).toEqual(Option.some(1))
        expect(yield* Cache.get("user1")).toEqual(Option.some(1))
      }).pipe(Effect.provide(layer()))
    )

    it.effect(
      "what is being rebuilt when a clear comes is given to its callers, and not stored",
      () =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<number>()
          const lookup = region("user").getOrCreate("1", Deferred.await(gate))
          const before = yield* Effect.fork(lookup)
          yield* settleDown
          yield* region("user").clear
          const after = yield* Effect.fork(region("user").getOrCreate("1", Effect.succeed(2)))
          yield* settleDown
          yield* Deferred.succeed(gate, 1)
          expect(yield* Fiber.join(before)).toBe(1)
          expect(yield* Fiber.join(after)).toBe(2)
          expect(yield* region("user").get("1")).toEqual(Option.some(2))
        }).pipe(Effect.provide(layer()))
    )
  })
}

describe("over one shared backend", () => {
  it.scoped("clear spares other prefixes, and their leases", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const prefixes = ["app", "app2", "ap", "app.", "App"]
      const caches = yield* Effect.forEach(prefixes, (prefix) => startProcess(backend, { prefix }))
      const gate = yield* Deferred.make<string>()
      const rebuilding = yield* Effect.forEach(caches, (cache) =>
        Effect.zipRight(
          cache(Cache.set("k", "value")),
          Effect.fork(cache(Cache.getOrCreate("slow", Deferred.await(gate))))
        )
      )
      yield* settleDown
      yield* caches[0]!(Cache.clear)
      const holders = yield* Effect.forEach(prefixes, (prefix) => backend.holder(`${prefix}:slow`))
      expect(holders.map(Option.isSome)).toEqual([false, true, true, true, true])
      yield* Deferred.succeed(gate, "slow")
      yield* Fiber.joinAll(rebuilding)
      const left = yield* Effect.forEach(caches, (cache) => cache(keys))
      expect(left).toEqual(prefixes.map((prefix) => (prefix === "app" ? [] : ["k", "slow"])))
    })
  )

  it.scoped("clear is seen by every process", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      const here = yield* startProcess(backend)
      const there = yield* startProcess(backend)
      yield* there(Cache.set("k", "value"))
      yield* here(Cache.clear)
      expect(yield* there(Cache.get("k"))).toEqual(Option.none())
    })
  )

  it.scoped("a prefix that could be a pattern is a defect", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      for (const prefix of ["app*", "app[1]", "app?", "a:b", "a!b", "{app}", "", "x".repeat(65)]) {
        const exit = yield* Effect.exit(startProcess(backend, { prefix }))
        expect(Exit.isFailure(exit), prefix).toBe(true)
      }
    })
  )
})
