/** Locks while their server stands still, has lost its data, or does not let us. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { DistributedLock } from "effect-larder"
import { RedisClient, RedisLock } from "effect-larder/redis"
import { seeded, seedOf } from "./chance.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, type RedisServer, startRedis } from "../servers/redis.js"

/** What a busy machine may need besides. */
const aBit = 1_000

const start = (options: Parameters<typeof startRedis>[0] = {}) =>
  Effect.gen(function* () {
    const redis = yield* startRedis({ own: true, ...options })
    return { redis, locks: yield* locksOf(redis) }
  })

const locksOf = ({ url }: RedisServer) =>
  Effect.map(
    Layer.build(
      RedisLock.layer.pipe(Layer.provide(RedisClient.layer({ url, commandTimeout: "300 millis" })))
    ),
    Context.get(DistributedLock)
  )

const lockOf = (name: string) => `larder!lock:{larder:${name}}`

describeWithServer("a lock whose server", ["redis-server"], () => {
  it.scopedLive("stands still is lost within its duration, and its body ended", () =>
    Effect.gen(function* () {
      const { locks, redis } = yield* start()
      const held = yield* Effect.fork(
        Effect.timed(Effect.flip(locks.withLock("a", { duration: "2 seconds" })(Effect.never)))
      )
      yield* Effect.sleep("1 second")
      yield* redis.pause
      const { _tag, message } = yield* Effect.flip(locks.withLock("b")(Effect.void))
      expect(_tag).toBe("LockUnavailable")
      expect(message).toContain("acquire failed (Timeout: Command timed out)")
      const [time, error] = yield* held
      expect([error._tag, "reason" in error && error.reason]).toEqual(["LockLost", "Silent"])
      expect(Duration.toMillis(time)).toBeLessThan(3_000 + aBit)
      yield* redis.resume
      const again = Effect.delay(locks.withLock("a")(Effect.succeed("again")), "100 millis")
      expect(yield* Effect.retry(again, { times: 100 })).toBe("again")
    })
  )

  it.scopedLive("is gone is lost, and is to be had again when it is back", () =>
    Effect.gen(function* () {
      const { locks, redis } = yield* start()
      const held = yield* Effect.fork(
        Effect.flip(locks.withLock("a", { duration: "1 second" })(Effect.never))
      )
      yield* Effect.sleep("500 millis")
      yield* redis.kill
      const { _tag } = yield* Effect.flip(locks.withLock("b")(Effect.void))
      expect(_tag).toBe("LockUnavailable")
      expect((yield* held)._tag).toBe("LockLost")
      yield* redis.restart
      const again = Effect.delay(locks.withLock("a")(Effect.succeed("again")), "100 millis")
      expect(yield* Effect.retry(again, { times: 100 })).toBe("again")
    })
  )

  it.scopedLive("has lost its data says so at the next renewal, and its fence grows on", () =>
    Effect.gen(function* () {
      const { locks, redis } = yield* start()
      const { fence, lost } = yield* locks.acquire("a", { duration: "900 millis" })
      yield* command(redis, "FLUSHALL")
      const [time, { reason }] = yield* Effect.timed(Effect.flip(lost))
      expect(reason).toBe("Taken")
      expect(Duration.toMillis(time)).toBeLessThan(300 + aBit)
      expect((yield* locks.acquire("a")).fence).toBeGreaterThan(fence)
    })
  )

  it.scopedLive("has what is none of ours where a lock should be is none the worse", () =>
    Effect.gen(function* () {
      const { locks, redis } = yield* start()
      yield* command(redis, "RPUSH", lockOf("list"), "a stranger's")
      yield* command(redis, "SET", lockOf("text"), "a stranger's, with no end")
      const listed = yield* Effect.exit(locks.withLock("list")(Effect.succeed("held")))
      const texted = yield* Effect.exit(locks.withLock("text")(Effect.succeed("held")))
      expect([listed._tag, texted._tag]).toEqual(["Success", "Success"])
    })
  )

  it.scopedLive("was left by a holder that was killed without a trace is free in time", () =>
    Effect.gen(function* () {
      const { locks, redis } = yield* start()
      yield* command(redis, "SET", lockOf("a"), "t 700 0", "PX", "700")
      const [time] = yield* Effect.timed(locks.withLock("a")(Effect.void))
      expect(Duration.toMillis(time)).toBeLessThan(700 + aBit)
      // Held for good, by whoever wrote it: that is for an operator to remove.
      yield* command(redis, "SET", lockOf("b"), "t 700 0")
      const error = yield* Effect.flip(locks.withLock("b", { wait: "500 millis" })(Effect.void))
      expect(error._tag).toBe("LockTimeout")
    })
  )

  it.scopedLive("has seen a crowd that was interrupted at random has nothing left of it", () =>
    Effect.gen(function* () {
      const { locks, redis } = yield* start()
      const other = yield* locksOf(redis)
      const random = seeded(seedOf("a crowd at a lock"))
      let [inside, most] = [0, 0]
      const visit = Effect.acquireUseRelease(
        Effect.sync(() => (most = Math.max(most, ++inside))),
        () => Effect.sleep(random() * 3),
        () => Effect.sync(() => inside--)
      )
      const user = Effect.suspend(() =>
        (random() < 0.5 ? locks : other).withLock("crowded", { wait: random() * 400 })(visit)
      )
      for (let round = 0; round < 5; round++) {
        const fibers = yield* Effect.replicateEffect(Effect.fork(Effect.exit(user)), 100)
        yield* Effect.forEach(
          fibers,
          (fiber) =>
            random() < 0.5
              ? Effect.delay(Fiber.interrupt(fiber), random() * 300)
              : Fiber.await(fiber),
          { concurrency: "unbounded", discard: true }
        )
      }
      expect(most).toBe(1)
      const left = (yield* command(redis, "KEYS", "*")) as ReadonlyArray<string>
      expect(left).toEqual(["larder!fence:{larder:crowded}"])
      const [time] = yield* Effect.timed(locks.withLock("crowded")(Effect.void))
      expect(Duration.toMillis(time)).toBeLessThan(aBit)
    })
  )
})
