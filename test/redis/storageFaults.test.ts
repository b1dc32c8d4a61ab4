/** Lasting entries while their server is silent, gone, full, or does not let us; and a crash. */
import { expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Storage, type StorageError } from "effect-larder"
import type { RedisClientOptions } from "effect-larder/redis"
import * as Fs from "node:fs"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, startRedis } from "../servers/redis.js"
import { rawServer } from "./raw.js"
import { startStorage } from "./storages.js"

/** What a busy machine may need besides. */
const aBit = 1_000
const commandTimeout = "300 millis"

const start = (options: Parameters<typeof startRedis>[0] = {}, settings: RedisClientOptions = {}) =>
  Effect.gen(function* () {
    const redis = yield* startRedis({ own: true, ...options })
    const run = yield* startStorage({ url: redis.url, commandTimeout, ...settings })
    return { redis, run }
  })

const secret = "s3cret-value"

/** One of each kind. */
const operations: Readonly<Record<string, Effect.Effect<unknown, StorageError, Storage>>> = {
  get: Storage.get("k"),
  getMany: Storage.getMany(["k", "l"]),
  set: Storage.set("k", secret, { metadata: { by: secret } }),
  setMany: Storage.setMany([
    ["k", secret],
    ["l", secret]
  ]),
  delete: Storage.delete("k"),
  exists: Storage.exists("k"),
  keys: Storage.keys(),
  entries: Stream.runDrain(Storage.entries()),
  cleanup: Storage.cleanup({ olderThan: 0 })
}

const writes = ["set", "setMany"]

/** Each fails so, within the time of a command, and tells no secret. */
const expectAll = (
  run: Effect.Effect.Success<ReturnType<typeof startStorage>>,
  reason: StorageError["reason"],
  detail: string,
  names = Object.keys(operations)
) =>
  Effect.forEach(
    names,
    (name) =>
      Effect.gen(function* () {
        const [time, error] = yield* Effect.timed(Effect.flip(run(operations[name]!)))
        expect([name, error._tag, error.reason]).toEqual([name, "StorageError", reason])
        expect(error.message).toContain(detail)
        expect(error.message).toContain("Remedy: ")
        expect(error.message + String(error.cause)).not.toMatch(/s3cret/)
        expect(Duration.toMillis(time)).toBeLessThan(300 + aBit)
      }),
    { concurrency: "unbounded" }
  )

/** It comes back within a while. */
const again = <A>(effect: Effect.Effect<A, StorageError>) =>
  Effect.retry(Effect.delay(effect, "50 millis"), { times: 100 })

describeWithServer("a storage whose server", ["redis-server"], () => {
  it.scopedLive("stands still tells of a timeout, and goes on when it does", () =>
    Effect.gen(function* () {
      const { redis, run } = yield* start()
      yield* run(Storage.set("k", 1))
      yield* redis.pause
      const { message } = yield* Effect.flip(run(Storage.get("k")))
      expect(message).toContain("(Timeout)")
      expect(message).toContain("gave no reply within 300 ms, and whether it was done is unknown")
      // The first to have heard nothing ends the connection for all.
      yield* Effect.forEach(
        Object.values(operations),
        (operation) =>
          Effect.gen(function* () {
            const [time, { reason }] = yield* Effect.timed(Effect.flip(run(operation)))
            expect(["Timeout", "Unavailable"]).toContain(reason)
            expect(Duration.toMillis(time)).toBeLessThan(300 + aBit)
          }),
        { concurrency: "unbounded" }
      )
      yield* redis.resume
      yield* again(run(Storage.set("k", 2)))
      expect(yield* run(Storage.get("k"))).toEqual(Option.some(2))
    })
  )

  it.scopedLive("is gone tells that it is, and goes on when it is back", () =>
    Effect.gen(function* () {
      const { redis, run } = yield* start()
      yield* redis.kill
      const { message } = yield* Effect.repeat(
        Effect.delay(Effect.flip(run(Storage.get("k"))), "50 millis"),
        { until: ({ message }) => message.includes("ECONN") }
      )
      expect(message).toContain("Nothing was sent")
      yield* expectAll(run, "Unavailable", `there is no connection to ${redis.url}/0: connect ECON`)
      yield* redis.restart
      yield* again(run(Storage.set("k", 2)))
    })
  )

  it.scopedLive("has no memory left tells that it is full, and still gives and removes", () =>
    Effect.gen(function* () {
      const { redis, run } = yield* start()
      yield* run(Storage.set("k", 1))
      yield* command(redis, "CONFIG", "SET", "maxmemory", 1)
      yield* command(redis, "SCRIPT", "FLUSH")
      yield* expectAll(run, "Full", "Remedy: delete entries, give them a ttl", writes)
      expect(yield* run(Storage.get("k"))).toEqual(Option.some(1))
      expect(yield* run(Storage.delete("k"))).toBe(true)
    })
  )

  it.scopedLive("has become a replica tells that nothing can be written", () =>
    Effect.gen(function* () {
      const { redis, run } = yield* start()
      yield* command(redis, "REPLICAOF", "127.0.0.1", 1)
      const error = yield* Effect.flip(run(Storage.set("k", 1)))
      expect([error.reason, error.detail]).toEqual([
        "ReadOnly",
        expect.stringContaining("Remedy: connect to the master of this replica")
      ])
      // It connects anew, to a master if there is one.
      yield* again(run(Storage.get("k")))
      const together = Storage.setMany([
        ["k", 1],
        ["l", 1]
      ])
      expect((yield* Effect.flip(run(together))).reason).toBe("ReadOnly")
    })
  )

  it.scopedLive("cannot save tells that nothing can be written", () =>
    Effect.gen(function* () {
      const { redis, run } = yield* start({ args: ["--dbfilename", "no.rdb"] })
      yield* command(redis, "CONFIG", "SET", "save", "3600 1")
      yield* command(redis, "SET", "other", 1)
      const raw = yield* rawServer(redis)
      const folder = String((yield* raw.call("CONFIG", "GET", "dir"))[1])
      Fs.mkdirSync(`${folder}/no.rdb`)
      yield* command(redis, "BGSAVE")
      const failed = Effect.filterOrFail(
        Effect.map(raw.call("INFO", "persistence"), String),
        (info: string) => info.includes("rdb_last_bgsave_status:err")
      )
      yield* Effect.retry(Effect.delay(failed, "50 millis"), { times: 100 })
      yield* expectAll(run, "ReadOnly", "Remedy: see in the server's log", writes)
    })
  )

  it.scopedLive("has a password that is not ours tells so, and no password", () =>
    Effect.gen(function* () {
      const password = Redacted.make("s3cret-password")
      const wrong = yield* start({ args: ["--requirepass", "another"] }, { password })
      yield* expectAll(wrong.run, "Denied", "Remedy: set user and password of RedisClient")
      const none = yield* start({ args: ["--requirepass", "another"] })
      yield* expectAll(none.run, "Denied", "NOAUTH")
    })
  )

  it.scopedLive("lets our user do little tells that it does", () =>
    Effect.gen(function* () {
      const { redis } = yield* start()
      yield* command(redis, "ACL", "SETUSER", "reader", "on", ">s3cret", "~*", "&*", ...may)
      const run = yield* startStorage({
        url: redis.url,
        username: "reader",
        password: Redacted.make("s3cret")
      })
      expect(yield* run(Storage.get("k"))).toEqual(Option.none())
      yield* expectAll(run, "Denied", "see what the server's ACL lets them do", [
        ...writes,
        "delete"
      ])
      yield* command(redis, "ACL", "SETUSER", "nobody", "on", ">s3cret", "+@connection")
      const nobody = yield* startStorage({
        url: redis.url,
        username: "nobody",
        password: Redacted.make("s3cret")
      })
      yield* expectAll(nobody, "Denied", "NOPERM")
    })
  )

  it.scopedLive(
    "crashes in the midst of writes has all that it confirmed, and nothing by halves",
    () =>
      Effect.gen(function* () {
        const durable = ["--appendonly", "yes", "--appendfsync", "always"]
        const { redis, run } = yield* start({ args: durable })
        const filler = "x".repeat(500)
        const confirmed = new Set<string>()
        let at = 0
        const writer = Effect.suspend(() => {
          const mine = at++
          const keys = mine % 3 === 0 ? [`${mine} a`, `${mine} b`, `${mine} c`] : [`${mine}`]
          const values = keys.map((key) => [key, { key, filler }] as const)
          return Effect.map(run(Storage.setMany(values)), () => {
            for (const key of keys) confirmed.add(key)
          })
        }).pipe(Effect.repeat({ until: () => at >= 10_000 }), Effect.ignore)
        const writing = yield* Effect.fork(
          Effect.replicateEffect(writer, 30, { concurrency: "unbounded" })
        )
        yield* Effect.repeat(Effect.sleep(2), { until: () => confirmed.size > 2_000 })
        yield* redis.kill
        yield* Fiber.join(writing)
        expect(at).toBeLessThan(10_000)
        yield* redis.restart
        yield* again(run(Storage.exists("k")))
        const kept = yield* run(Storage.getMany(confirmed))
        expect(kept.filter(Option.isNone)).toEqual([])
        const all = new Map<string, unknown>()
        yield* run(
          Stream.runForEach(Storage.entries(), ({ key, value }) =>
            Effect.sync(() => void all.set(key, value))
          )
        )
        expect(all.size).toBeGreaterThanOrEqual(confirmed.size)
        for (const [key, value] of all) expect(value).toEqual({ key, filler })
        // What was set together is there together.
        for (const key of all.keys()) {
          if (key.endsWith(" a")) expect(all.has(key.replace("a", "c"))).toBe(true)
        }
      })
  )
})

/** TIME is what a connection begins with. */
const may = [
  "+get",
  "+mget",
  "+exists",
  "+time",
  "+info",
  "+select",
  "+multi",
  "+exec",
  "+eval",
  "+evalsha"
]
