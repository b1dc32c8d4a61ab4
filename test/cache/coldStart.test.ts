/** Where misses are the rule, the lease is asked for without a read before. */
import { expect, it } from "@effect/vitest"
import { BackendError, Cache, MemoryBackend } from "effect-larder"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import { advance, settleDown } from "../protocol/world.js"
import { counting, startProcess } from "./world.js"

/** Enough of them for the read to be left out. */
const misses = Effect.suspend(() => {
  const keys = Array.from({ length: 30 }, (_, index) => `cold ${++last} ${index}`)
  return Effect.forEach(keys, (key) => Cache.getOrCreate(key, Effect.succeed(key)))
})

let last = 0

/** A server, and two processes on it; the first has met nothing but misses. */
const scene = Effect.gen(function* () {
  const server = yield* MemoryBackend.make()
  const sent: Array<string> = []
  const backend = {
    ...server,
    getMany: (keys: ReadonlyArray<string>) =>
      Effect.suspend(() => {
        sent.push("read")
        return server.getMany(keys)
      }),
    lease: (...asked: Parameters<typeof server.lease>) =>
      Effect.suspend(() => {
        sent.push("lease")
        return server.lease(...asked)
      })
  }
  const cold = yield* startProcess(backend)
  const other = yield* startProcess(server)
  yield* cold(misses)
  const during = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      sent.length = 0
      return Effect.map(effect, (result) => ({ result, sent: [...sent] }))
    })
  return { server, cold, other, during }
})

const refused = Effect.die("a second load")

it.scoped("a miss asks at once; what is found is a hit, and counted so", () =>
  Effect.gen(function* () {
    const { cold, during, other } = yield* scene
    const miss = yield* during(cold(Cache.getOrCreate("k", Effect.succeed(1))))
    expect(miss).toEqual({ result: 1, sent: ["lease"] })
    yield* other(Cache.set("found", 2))
    const before = yield* cold(Cache.counters)
    const hit = yield* during(cold(Cache.getOrCreate("found", refused)))
    expect(hit).toEqual({ result: 2, sent: ["lease"] })
    const after = yield* cold(Cache.counters)
    expect([after.hits - before.hits, after.misses - before.misses]).toEqual([1, 0])
  })
)

it.scoped("a failure, and a caller who leaves, are counted as misses", () =>
  Effect.gen(function* () {
    const { cold } = yield* scene
    const before = yield* cold(Cache.counters)
    yield* Effect.exit(cold(Cache.getOrCreate("failing", Effect.fail("no"))))
    const hanging = yield* Effect.fork(cold(Cache.getOrCreate("hanging", Effect.never)))
    yield* settleDown
    yield* Fiber.interrupt(hanging)
    const after = yield* cold(Cache.counters)
    expect(after.misses - before.misses).toBe(2)
  })
)

// A refresh runs its creator, and a fresh value is there all the while: a reader
// that joined it would wait for the creator, and fail with it.
it.scoped("a reader reads while a refresh is under way, and does not fail with it", () =>
  Effect.gen(function* () {
    const { cold, other } = yield* scene
    const gate = yield* Deferred.make<number, string>()
    const refresh = yield* Effect.fork(
      cold(Cache.getOrCreate("k", Deferred.await(gate), { refresh: true }))
    )
    yield* settleDown
    yield* other(Cache.set("k", 1))
    expect(yield* cold(Cache.getOrCreate("k", refused))).toBe(1)
    yield* Deferred.fail(gate, "no")
    yield* Effect.exit(refresh)
  })
)

it.scoped(
  "who comes after another process has written reads, though a creator is at work here",
  () =>
    Effect.gen(function* () {
      const { cold, other } = yield* scene
      const gate = yield* Deferred.make<number, string>()
      const creating = yield* Effect.fork(cold(Cache.getOrCreate("k", Deferred.await(gate))))
      yield* settleDown
      yield* other(Cache.set("k", 1))
      expect(yield* cold(Cache.getOrCreate("k", refused))).toBe(1)
      yield* Deferred.fail(gate, "no")
      yield* Effect.exit(creating)
    })
)

it.scoped("a crowd asks once, and one who joins it before its creator began is with it", () =>
  Effect.gen(function* () {
    const { cold, during } = yield* scene
    const creator = counting(Effect.delay(Effect.succeed(1), "1 second"))
    const lookup = cold(Cache.getOrCreate("k", creator.create))
    const crowd = yield* Effect.fork(
      during(Effect.replicateEffect(lookup, 100, { concurrency: "unbounded" }))
    )
    yield* advance("2 seconds")
    expect(yield* Fiber.join(crowd)).toEqual({ result: Array(100).fill(1), sent: ["lease"] })
    expect(creator.runs).toBe(1)
  })
)

it.scoped("a creator that asks for its own key reads what another has written meanwhile", () =>
  Effect.gen(function* () {
    const { cold, other } = yield* scene
    const inner = Effect.zipRight(other(Cache.set("k", 1)), cold(Cache.getOrCreate("k", refused)))
    expect(yield* cold(Cache.getOrCreate("k", inner))).toBe(1)
  })
)

// A yield may fall between the look at what is under way and the boarding.
it.scoped("a refresh that begins while a reader is about to ask is found, wherever it yields", () =>
  Effect.gen(function* () {
    for (let step = 1; step < 50; step++) {
      const { cold, during, other } = yield* scene
      const key = `k${step}`
      const held: Array<() => void> = []
      let steps = 0
      let isHeld = false
      const scheduler: Scheduler.Scheduler = {
        shouldYield: () => {
          if (++steps !== step) return false
          isHeld = true
          return 0
        },
        scheduleTask: (task) => (isHeld ? held.push(task) : queueMicrotask(task))
      }
      const lookup = cold(Cache.getOrCreate(key, refused)).pipe(Effect.withScheduler(scheduler))
      const { result: reader, sent } = yield* during(
        Effect.zipLeft(Effect.fork(lookup), settleDown)
      )
      const release = () => {
        isHeld = false
        for (const task of held) task()
      }
      if (sent.includes("lease")) {
        release()
        expect(step).toBeGreaterThan(1)
        return
      }
      const gate = yield* Deferred.make<number>()
      const refreshing = cold(Cache.getOrCreate(key, Deferred.await(gate), { refresh: true }))
      const refresh = yield* Effect.fork(refreshing)
      yield* settleDown
      yield* other(Cache.set(key, 1))
      release()
      expect(yield* Fiber.join(reader), `held at step ${step}`).toBe(1)
      yield* Deferred.succeed(gate, 2)
      yield* Fiber.join(refresh)
    }
    throw new Error("it never asked")
  })
)

// The one who asked gets what is there; who came while the question was out goes
// round, and finds an invalidation pending and a run without a lease under way.
it.scoped("who goes round is no longer one who asks at once", () =>
  Effect.gen(function* () {
    const { other, server: backend } = yield* scene
    const isHeld = { lease: false }
    const [asked, answer] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
    const process = yield* startProcess({
      ...backend,
      lease: (...question) =>
        isHeld.lease
          ? Effect.zipLeft(
              backend.lease(...question),
              Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(answer))
            )
          : backend.lease(...question),
      invalidate: () =>
        Effect.fail(new BackendError({ backend: "deaf", command: "invalidate", reason: "Timeout" }))
    })
    yield* process(misses)
    yield* other(Cache.set("k", "there"))
    isHeld.lease = true
    const first = yield* Effect.fork(process(Cache.getOrCreate("k", refused)))
    yield* Deferred.await(asked)
    const joiner = yield* Effect.fork(process(Cache.getOrCreate("k", refused)))
    yield* settleDown
    yield* process(Cache.invalidate("k"))
    const gate = yield* Deferred.make<string>()
    const leaseless = yield* Effect.fork(
      process(Cache.getOrCreate("k", Effect.as(Deferred.await(gate), "made")))
    )
    yield* settleDown
    yield* Deferred.succeed(answer, undefined)
    expect(yield* Fiber.join(first)).toBe("there")
    yield* settleDown
    yield* Deferred.succeed(gate, "")
    expect(yield* Fiber.join(leaseless)).toBe("made")
    expect(yield* Fiber.join(joiner)).toBe("made")
  })
)
