/** Holders of a lease that are killed, that sleep, or that wait for the one who waits for them. */
import { expect, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { leaseKey } from "../../src/policy/keys.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command } from "../servers/redis.js"
import {
  counting,
  crowdEverywhere,
  Eight,
  expectWaits,
  loadsOf,
  nextLoad,
  type Process,
  timed
} from "./workers.js"

const lease = 1_000
/** What a busy machine may need besides. */
const aBit = 1_000

const some = ([one, two, three]: ReadonlyArray<Process>) => {
  if (one === undefined || two === undefined || three === undefined) throw new Error("too few")
  return [one, two, three] as const
}

const options = { excludeTestServices: true, timeout: "60 seconds" } as const
const eight = Eight.layer({ lease: { duration: lease }, commandTimeout: 10_000 })

describeWithServer("a process that holds a lease", ["redis"], () => {
  layer(
    eight,
    options
  )((it) => {
    it.effect(
      "and sleeps past it stores nothing when it wakes, and takes nobody's lease away",
      () =>
        Effect.gen(function* () {
          const { all, prefix, redis } = yield* Eight
          const [sleeper, second, third] = some(all)
          const key = "slept on"
          const holder = Effect.map(command(redis, "GET", leaseKey(prefix, key)), String)
          const read = second.ask("crowd", { key, callers: 3, millis: [0, 0] })

          const fencedWrites = yield* counting(all, "fencedWrites")
          const slept = yield* Effect.fork(
            sleeper.ask("crowd", { key, callers: 3, millis: [1_000, 1_000] })
          )
          yield* nextLoad(sleeper, key)
          yield* sleeper.pause
          expect(yield* second.ask("crowd", { key, callers: 3, millis: [50, 50] })).toEqual({
            "value 2": 3
          })
          const refreshing = yield* Effect.fork(
            third.ask("crowd", { key, callers: 1, millis: [4_000, 4_000], refresh: true })
          )
          yield* nextLoad(third, key)
          const [token] = (yield* holder).split(" ")
          expect(token).not.toBe("null")
          yield* sleeper.resume

          expect(yield* Fiber.join(slept)).toEqual({ "value 1": 3 })
          expect(yield* fencedWrites).toEqual([1, 0, 0, 0, 0, 0, 0, 0])
          expect((yield* holder).split(" ")[0]).toBe(token)
          expect(yield* read).toEqual({ "value 2": 3 })
          expect(yield* Fiber.join(refreshing)).toEqual({ "value 3": 1 })
          expect(yield* read).toEqual({ "value 3": 3 })
          expect(yield* fencedWrites).toEqual([1, 0, 0, 0, 0, 0, 0, 0])
          expect(yield* loadsOf(redis, prefix, key)).toBe(3)
        })
    )

    it.effect("and waits for one that waits for it ends within one lease", () =>
      Effect.gen(function* () {
        const { all } = yield* Eight
        const [one, two] = some(all)
        const circle = (keys: ReadonlyArray<string>) => {
          const [a = "", b = ""] = keys
          return Effect.gen(function* () {
            const first = yield* Effect.fork(one.ask("nested", keys))
            const second = yield* Effect.fork(two.ask("nested", [...keys.slice(1), a]))
            yield* nextLoad(one, a)
            yield* nextLoad(two, b)
            const { took, value } = yield* timed(
              Effect.zipRight(
                Effect.zip(one.ask("openGate", a), two.ask("openGate", b)),
                Effect.zip(Fiber.join(first), Fiber.join(second))
              )
            )
            expect(value[0]).toMatch(new RegExp(`^${a}${b}`))
            expect(value[1]).toMatch(new RegExp(`^${b}${a}`))
            expect(took).toBeLessThan(lease + aBit)
            console.log(`a circle over two processes, ${keys.length} keys: ${took} ms`)
          })
        }
        yield* circle(["a", "b"])
        yield* circle(["c", "d", "c", "d"])
      })
    )

    it.effect("and asks for what it makes does not wait for itself, nor do others for long", () =>
      Effect.gen(function* () {
        const { all, prefix, redis } = yield* Eight
        const [one, two] = some(all)
        const untilWaiting = yield* expectWaits([two])
        const first = yield* Effect.fork(one.ask("nested", ["self", "self", "self"]))
        yield* nextLoad(one, "self")
        const second = yield* Effect.fork(two.ask("nested", ["self", "self", "self"]))
        yield* untilWaiting
        const { took, value } = yield* timed(
          Effect.zipRight(
            one.ask("openGate", "self"),
            Effect.zip(Fiber.join(first), Fiber.join(second))
          )
        )
        expect(value).toEqual(["selfselfself", "selfselfself"])
        expect(yield* loadsOf(redis, prefix, "self")).toBe(3)
        expect(took).toBeLessThan(aBit)
      })
    )

    // The last one: afterwards there are seven.
    it.effect("and is killed in mid-load costs one lease and one load", () =>
      Effect.gen(function* () {
        const { all, prefix, redis } = yield* Eight
        const [victim] = some(all)
        const others = all.slice(1)
        const key = "orphan"
        const untilWaiting = yield* expectWaits(others)
        const takeovers = yield* counting(others, "takeovers")
        yield* Effect.fork(victim.ask("crowd", { key, callers: 50, millis: [60_000, 60_000] }))
        yield* nextLoad(victim, key)
        const load = 200
        const orphans = yield* Effect.fork(
          crowdEverywhere(others, { key, callers: 50, millis: [load, load] })
        )
        yield* untilWaiting
        const { took, value } = yield* timed(Effect.zipRight(victim.kill, Fiber.join(orphans)))
        expect(value).toEqual({ "value 2": 350 })
        expect(yield* loadsOf(redis, prefix, key)).toBe(2)
        expect((yield* takeovers).toSorted()).toEqual([0, 0, 0, 0, 0, 0, 1])
        expect(took).toBeLessThan(lease + load + aBit)
        console.log(`7 × 50 callers whose holder was killed: ${took} ms`)
      })
    )
  })
})
