import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { describeWithServer } from "./describeWithServer.js"
import type { EchoHandlers } from "./echoWorker.js"
import { liveClock } from "./liveClock.js"
import { command, monitor, startCluster, startRedis } from "./redis.js"
import { startWorker } from "./worker.js"

// The servers that other tests start: they do what those rely on.

/** In real time, whatever clock the test has. */
const pauseFor = (millis: number) => liveClock(Effect.sleep(millis))

describeWithServer("a Redis of our own", ["redis-server"], () => {
  it.scoped("answers as soon as it has been started, even under a test clock", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis()
      expect(yield* command(redis, "PING")).toBe("PONG")
    })
  )

  it.effect("is gone when its scope closes, and so is a paused one", () =>
    Effect.gen(function* () {
      const redis = yield* Effect.scoped(
        Effect.tap(startRedis({ own: true }), (redis) => redis.pause)
      )
      const { message } = yield* Effect.flip(command(redis, "PING"))
      expect(message).toContain("closed")
    })
  )

  it.scoped("answers when it is resumed what it was asked while it was paused", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis({ own: true })
      yield* redis.pause
      const asked = yield* Effect.fork(command(redis, "PING"))
      yield* pauseFor(100)
      expect(asked.unsafePoll()).toBeNull()
      yield* redis.resume
      expect(yield* asked).toBe("PONG")
    })
  )

  it.scoped("comes back empty at the same port, whether killed, stopped or running", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis({ own: true })
      for (const end of [redis.kill, redis.stop, Effect.void]) {
        yield* command(redis, "SET", "key", "value")
        yield* end
        yield* redis.restart
        expect(yield* command(redis, "GET", "key")).toBeNull()
      }
    })
  )

  it.scoped("knows no Lua when it was started without", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis({ scripting: false })
      for (const name of ["EVAL", "EVALSHA", "SCRIPT", "FCALL"]) {
        const { message } = yield* Effect.flip(command(redis, name, "return 1", 0))
        expect(message).toContain("unknown command")
      }
      expect(yield* command(redis, "SET", "key", "value")).toBe("OK")
    })
  )

  it.scoped("is spared all faults when it is the environment's", () =>
    Effect.gen(function* () {
      const own = yield* startRedis({ own: true })
      const before = process.env["REDIS_URL"]
      process.env["REDIS_URL"] = own.url
      const redis = yield* Effect.ensuring(
        startRedis(),
        Effect.sync(() => {
          if (before === undefined) delete process.env["REDIS_URL"]
          else process.env["REDIS_URL"] = before
        })
      )
      expect(redis).toMatchObject({ url: own.url, port: own.port, isOwned: false })
      const exit = yield* Effect.exit(redis.kill)
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("only to servers")
      expect(yield* command(redis, "PING")).toBe("PONG")
    })
  )

  it.scoped("says why it does not start", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(startRedis({ args: ["--nonsense", "yes"] }))
      expect(message).toContain("Bad directive")
    })
  )

  it.scoped("is overheard, clients and scripts apart", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis()
      const { clear, lines, overheard } = yield* monitor(redis)
      yield* command(redis, "SET", "before", "1")
      yield* clear
      yield* command(redis, "EVAL", "return redis.call('GET', KEYS[1])", 1, "key")
      const [client, script] = yield* overheard
      expect(client).toMatchObject({ isFromLua: false })
      expect(script).toMatchObject({ isFromLua: true, args: ["GET", "key"] })
      expect((yield* lines)[1]).toBe('[0 lua] "GET" "key"')
    })
  )
})

describeWithServer(
  "a Redis with a clock of its own",
  ["redis-server", "libfaketimeMT.so.1"],
  () => {
    const timeOf = (server: { url: string }) =>
      Effect.map(command(server, "TIME"), (reply) => {
        const [seconds, micros] = reply as ReadonlyArray<string>
        return Number(seconds) * 1000 + Number(micros) / 1000
      })

    it.scoped("moves a frozen clock by steps alone, to the millisecond", () =>
      Effect.gen(function* () {
        const redis = yield* startRedis({ fakeClock: "frozen" })
        const start = yield* timeOf(redis)
        yield* pauseFor(20)
        expect(yield* timeOf(redis)).toBe(start)
        let passed = 0
        for (const step of [50, 1, 949, 123, 7_000, 60_877]) {
          yield* redis.stepClock(step)
          passed += step
          expect(yield* timeOf(redis)).toBe(start + passed)
        }
      })
    )

    it.scoped("lets a key expire when the frozen clock says so, and not before", () =>
      Effect.gen(function* () {
        const redis = yield* startRedis({ fakeClock: "frozen" })
        yield* command(redis, "SET", "key", "value", "PX", 100)
        yield* pauseFor(300)
        expect(yield* command(redis, "PTTL", "key")).toBe(100)
        yield* redis.stepClock(50)
        expect(yield* command(redis, "PTTL", "key")).toBe(50)
        yield* redis.stepClock(49)
        expect(yield* command(redis, "GET", "key")).toBe("value")
        yield* redis.stepClock(2)
        expect(yield* command(redis, "GET", "key")).toBeNull()
      })
    )

    it.scoped("steps a clock that runs", () =>
      Effect.gen(function* () {
        const redis = yield* startRedis({ fakeClock: true })
        yield* command(redis, "SET", "key", "value", "PX", 60_000)
        const start = yield* timeOf(redis)
        yield* pauseFor(20)
        expect((yield* timeOf(redis)) - start).toBeGreaterThanOrEqual(20)
        yield* redis.stepClock(60_001)
        expect((yield* timeOf(redis)) - start).toBeGreaterThan(60_000)
        expect(yield* command(redis, "GET", "key")).toBeNull()
      })
    )

    it.scoped("keeps the time over a restart", () =>
      Effect.gen(function* () {
        const redis = yield* startRedis({ fakeClock: "frozen" })
        yield* redis.stepClock(50)
        const before = yield* timeOf(redis)
        yield* redis.restart
        expect(yield* timeOf(redis)).toBe(before)
      })
    )
  }
)

describeWithServer("a Valkey of our own", ["valkey-server"], () => {
  it.scoped("starts, pauses and comes back as Redis does", () =>
    Effect.gen(function* () {
      const valkey = yield* startRedis({ flavour: "valkey", own: true })
      expect(yield* command(valkey, "INFO", "server")).toContain("server_name:valkey")
      yield* valkey.pause
      yield* valkey.resume
      yield* valkey.restart
      expect(yield* command(valkey, "PING")).toBe("PONG")
    })
  )
})

describeWithServer("a cluster", ["redis-server"], () => {
  it.scoped("shares the slots out among its three masters", () =>
    Effect.gen(function* () {
      const { nodes } = yield* startCluster()
      const replies = yield* Effect.forEach(nodes, (node) =>
        Effect.merge(command(node, "SET", "key", "value"))
      )
      const moved = replies.filter((reply) => String(reply).includes("MOVED"))
      expect(moved).toHaveLength(2)
      expect(replies).toContain("OK")
    })
  )
})

describe("a worker", () => {
  const start = startWorker<EchoHandlers>(new URL("echoWorker.ts", import.meta.url))

  it.scoped("answers in a process of its own", () =>
    Effect.gen(function* () {
      const worker = yield* start
      expect(worker.pid).not.toBe(process.pid)
      expect(yield* worker.ask("double", 21)).toBe(42)
      expect((yield* Effect.flip(worker.ask("fail"))).message).toContain("as it should")
    })
  )

  it.scoped("posts what nobody has asked for", () =>
    Effect.gen(function* () {
      const worker = yield* start
      yield* worker.send("announce", "by the way")
      expect(yield* Queue.take(worker.messages)).toBe("by the way")
    })
  )

  it.scoped("fails what it is asked when it is killed", () =>
    Effect.gen(function* () {
      const worker = yield* start
      const asked = yield* Effect.fork(Effect.flip(worker.ask("wait")))
      yield* worker.ask("echo", "the other question has arrived")
      yield* worker.kill
      expect((yield* Fiber.join(asked)).message).toContain("SIGKILL")
    })
  )

  it.scoped("answers when it is resumed what it was asked while it was paused", () =>
    Effect.gen(function* () {
      const worker = yield* start
      yield* worker.pause
      const asked = yield* Effect.fork(worker.ask("echo", "are you there?"))
      yield* pauseFor(100)
      expect(asked.unsafePoll()).toBeNull()
      yield* worker.resume
      expect(yield* asked).toBe("are you there?")
    })
  )

  it.scoped("closes its scope when it is stopped", () =>
    Effect.gen(function* () {
      const worker = yield* start
      yield* worker.stop
      expect(yield* Queue.take(worker.messages)).toBe("my scope is closed")
    })
  )

  it.scoped("has seven more beside it within seconds", () =>
    Effect.gen(function* () {
      const workers = yield* Effect.replicateEffect(start, 8, { concurrency: "unbounded" })
      const texts = yield* Effect.forEach(workers, (worker, index) =>
        worker.ask("echo", String(index))
      )
      expect(texts.join("")).toBe("01234567")
      expect(new Set(workers.map(({ pid }) => pid)).size).toBe(8)
    })
  )
})
