/** Lasting entries in Redis: what is sent, how it stands there, and what is none of ours. */
import { expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Cache, Storage } from "effect-larder"
import { RedisClient } from "effect-larder/redis"
import * as RedisStorageBackend from "../../src/redis/RedisStorageBackend.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, monitor, startCluster, startRedis } from "../servers/redis.js"
import { started } from "./backends.js"
import { type Raw, rawCluster, rawServer } from "./raw.js"
import { startCacheOn, startStorage, startStorageOn } from "./storages.js"

const some = (length: number, name = "k") => Array.from({ length }, (_, at) => `${name}${at}`)

const empty = (raw: Raw) =>
  Effect.forEach(raw.masters, (master) => Effect.promise(() => master.flushall()))

/** What a storage must do on any arrangement of servers. */
const suite = (where: Effect.Effect<Raw>) => {
  const scene = Effect.gen(function* () {
    const raw = yield* where
    yield* empty(raw)
    return { raw, run: yield* startStorage(raw.settings) }
  })

  it.scopedLive("an entry is a legible text at its key, and its expiry the server's own", () =>
    Effect.gen(function* () {
      const { raw, run } = yield* scene
      yield* run(Storage.set("a", { rows: 10 }, { metadata: { by: "me" } }))
      yield* run(Storage.set("b", 1, { ttl: "1500 millis" }))
      yield* run(Storage.setMany([["c", 1]], { ttl: Infinity }))
      yield* run(Storage.setMany([1, 2, 3].map((n) => [`{many}${n}`, n] as const)))
      expect(yield* raw.call("GET", "larder-store:a")).toMatch(
        /^larder-storage:1 version=0 created=\d{13} expires=\d{13} metadata=11 value=11\n\{"by":"me"\}\n\{"rows":10\}$/
      )
      const stored = yield* raw.stored
      const lives = (key: string) => stored.get(`larder-store:${key}`)?.pttl ?? NaN
      for (const key of ["a", "{many}1", "{many}2", "{many}3"]) {
        expect(lives(key)).toBeGreaterThan(3_590_000)
        expect(lives(key)).toBeLessThanOrEqual(3_600_000)
      }
      expect(lives("b")).toBeGreaterThan(0)
      expect(lives("b")).toBeLessThanOrEqual(1_500)
      expect(lives("c")).toBe(-1)
      const { createdAt, expiresAt } = Option.getOrThrow(yield* run(Storage.getEntry("b")))
      expect(DateTime.distance(createdAt, Option.getOrThrow(expiresAt))).toBe(1_500)
      const [seconds, micros] = yield* raw.call("TIME")
      const now = Number(seconds) * 1_000 + Number(micros) / 1_000
      expect(Math.abs(now - DateTime.toEpochMillis(createdAt))).toBeLessThan(1_000)
      expect(yield* run(Storage.exists("b"))).toBe(true)
      yield* Effect.sleep("1600 millis")
      expect(yield* run(Storage.exists("b"))).toBe(false)
      expect(yield* run(Storage.get("b"))).toEqual(Option.none())
    })
  )

  it.scopedLive("of several that are set together each lives as long as it was to", () =>
    Effect.gen(function* () {
      const { raw } = yield* scene
      const context = yield* Layer.build(RedisClient.layer(raw.settings))
      const { setMany } = RedisStorageBackend.make(
        Context.get(context, RedisClient),
        "larder-store"
      )
      const ttls = [Infinity, 60_000, 120_000, 120_000]
      const entry = { value: "1", metadata: "{}", version: 0 }
      yield* setMany(ttls.map((ttl, at) => ({ ...entry, key: `{several}${at}`, ttl })))
      const stored = yield* raw.stored
      const seen = ttls.map((_, at) => stored.get(`larder-store:{several}${at}`)?.pttl ?? NaN)
      expect(seen.map((life) => (life < 0 ? Infinity : Math.ceil(life / 10_000) * 10_000))).toEqual(
        ttls
      )
    })
  )

  it.scopedLive("several are set, read and removed together, wherever they are", () =>
    Effect.gen(function* () {
      const { raw, run } = yield* scene
      const keys = some(200)
      yield* run(Storage.setMany(keys.map((key, at) => [key, at] as const)))
      expect((yield* raw.stored).size).toBe(200)
      expect(yield* run(Storage.getMany(["x", ...keys, "y"]))).toEqual([
        Option.none(),
        ...keys.map((_, at) => Option.some(at)),
        Option.none()
      ])
      expect(yield* run(Storage.deleteMany(["x", ...keys.slice(0, 150)]))).toBe(150)
      expect(yield* run(Storage.deleteMany(keys))).toBe(50)
      expect((yield* raw.stored).size).toBe(0)
    })
  )

  it.scopedLive("what is none of ours is an error that says so, and stays", () =>
    Effect.gen(function* () {
      const { raw, run } = yield* scene
      yield* raw.call("RPUSH", "larder-store:list", "a stranger's")
      yield* raw.call("SET", "larder-store:text", "a stranger's")
      yield* raw.call("SET", "larder-store:bytes", Buffer.from([0xff, 0x00, 0xfe]))
      yield* raw.call("SET", "larder-store:empty", "")
      yield* raw.call("SET", "larder-store:newer", "larder-storage:2 and so on")
      yield* run(Storage.set("cut", { rows: 10 }))
      yield* raw.call("SETRANGE", "larder-store:cut", 200, "x")
      yield* run(Storage.set("{list}ours", 1))
      const why = {
        list: "it is no text, but another of Redis's types",
        text: "it is a text that no storage of effect-larder has written",
        bytes: "it is a text that no storage of effect-larder has written",
        empty: "it is a text that no storage of effect-larder has written",
        newer: "it is stored in form 2, and this version of effect-larder reads form 1",
        cut: "it is not as long as it says: it has been cut off, or changed"
      }
      for (const [key, text] of Object.entries(why)) {
        const together = Storage.getMany([key, "x", `{${key}}y`, "{list}ours"])
        for (const reading of [Effect.asVoid(Storage.get(key)), Effect.asVoid(together)]) {
          const { message, reason } = yield* Effect.flip(run(reading))
          expect(reason).toBe("Undecodable")
          expect(message).toContain(`what stands at ${JSON.stringify(key)} cannot be read: ${text}`)
        }
        expect(yield* run(Storage.exists(key))).toBe(true)
      }
      // MGET of one slot tells a list from nothing only by what EXISTS says besides.
      yield* raw.call("RPUSH", "larder-store:{t}list", "a stranger's")
      const { reason } = yield* Effect.flip(run(Storage.getMany(["{t}list", "{t}x"])))
      expect(reason).toBe("Undecodable")
      expect((yield* Effect.flip(run(Stream.runDrain(Storage.entries("*"))))).reason).toBe(
        "Undecodable"
      )
      expect(yield* run(Storage.keys("*"))).toEqual(
        [...Object.keys(why), "{list}ours", "{t}list"].toSorted()
      )
      expect(yield* run(Storage.cleanup({ olderThan: 0 }))).toBe(0)
      expect((yield* raw.stored).size).toBe(8)
      expect(yield* run(Storage.delete("list"))).toBe(true)
      yield* run(Storage.set("text", 1))
      expect(yield* run(Storage.get("text"))).toEqual(Option.some(1))
    })
  )

  it.scopedLive("any text is a key, and a pattern's characters in one are but characters", () =>
    Effect.gen(function* () {
      const { raw, run } = yield* scene
      const keys = [
        ...["", " ", "a", "a ", "A", "é", "e\u0301", "😀", "\ud83d", "\ude00", "a\u0000b", "\n"],
        ...[
          "*",
          "?",
          "[a]",
          "\\",
          "\\*",
          "[^",
          "{",
          "}",
          "{}",
          "{a}{b}",
          "__proto__",
          "constructor"
        ],
        ...["\u{10ffff}", "\u{10ffff}d83d", "\ufffd", "x".repeat(100_000), "k\r\nFLUSHALL\r\n"]
      ]
      yield* run(Storage.setMany(keys.map((key, at) => [key, at] as const)))
      expect((yield* raw.stored).size).toBe(keys.length)
      expect(yield* run(Storage.getMany(keys))).toEqual(keys.map((_, at) => Option.some(at)))
      for (const [at, key] of keys.entries()) {
        expect(yield* run(Storage.get(key))).toEqual(Option.some(at))
      }
      expect(yield* run(Storage.keys())).toEqual(keys.toSorted((a, b) => (a < b ? -1 : 1)))
      expect(yield* run(Storage.keys("\\*"))).toEqual(["*"])
      expect(yield* run(Storage.keys("?"))).toEqual(
        keys.filter((key) => Array.from(key).length === 1).toSorted((a, b) => (a < b ? -1 : 1))
      )
      expect(yield* run(Storage.keys("a**"))).toEqual(["a", "a\u0000b", "a "])
      expect(yield* run(Storage.keys("[[]a]"))).toEqual(["[a]"])
      expect(yield* run(Storage.keys("\ud83d"))).toEqual(["\ud83d"])
      expect(yield* run(Storage.keys("*".repeat(500) + "[^".repeat(500)))).toBeInstanceOf(Array)
      expect(yield* run(Storage.delete("*"))).toBe(true)
      expect(yield* run(Storage.deleteMany(keys))).toBe(keys.length - 1)
    })
  )

  it.scopedLive("a scan gives all that is there all along, while others write", () =>
    Effect.gen(function* () {
      const { run } = yield* scene
      const keys = some(10_000, "lasting:")
      yield* run(Storage.setMany(keys.map((key) => [key, 1] as const)))
      let writes = 0
      const writing = Effect.suspend(() => {
        const key = `passing:${writes++}`
        return run(Effect.zipRight(Storage.set(key, 1), Storage.delete(`passing:${writes - 50}`)))
      }).pipe(Effect.forever, Effect.fork)
      yield* Effect.replicateEffect(writing, 4)
      const found = yield* run(Storage.keys("lasting:*"))
      expect(found).toEqual(keys.toSorted())
      const entries = yield* run(Stream.runCollect(Storage.entries("lasting:?*")))
      expect(new Set(Chunk.map(entries, ({ key }) => key)).size).toBe(10_000)
      expect(writes).toBeGreaterThan(50)
    })
  )

  it.scopedLive("a cache and a storage know nothing of one another", () =>
    Effect.gen(function* () {
      const { raw, run } = yield* scene
      const cached = yield* startCacheOn(raw.settings)
      yield* run(Storage.set("mine", 1, { ttl: Infinity }))
      for (const key of ["one", "store:x"]) yield* cached(Cache.set(key, 1))
      yield* raw.call("SET", "larder!lease:{larder:one}", "token 60000 0")
      yield* raw.call("SET", "larder-store-2:other", "another storage's")
      expect(yield* run(Storage.keys())).toEqual(["mine"])
      expect(Chunk.size(yield* run(Stream.runCollect(Storage.entries("*"))))).toBe(1)
      yield* cached(Cache.clear)
      expect(yield* run(Storage.get("mine"))).toEqual(Option.some(1))
      yield* cached(Cache.set("one", 1))
      yield* Effect.sleep(5)
      expect(yield* run(Storage.cleanup({ olderThan: 0 }))).toBe(1)
      const left = [...(yield* raw.stored).keys()]
      expect(left).toContain("larder:one")
      expect(left).toContain("larder-store-2:other")
      expect(left).not.toContain("larder-store:mine")
    })
  )

  it.scopedLive("cleaning up removes what has lost its expiry and what is old, and counts it", () =>
    Effect.gen(function* () {
      const { raw, run } = yield* scene
      const keys = some(300)
      yield* run(
        Storage.setMany(
          keys.map((key) => [key, 1] as const),
          { ttl: Infinity }
        )
      )
      yield* run(Storage.set("expiring", 1, { ttl: "1 minute" }))
      yield* run(Storage.set("persisted", 1, { ttl: 200 }))
      yield* run(Storage.set("persisted too", 1, { ttl: 200 }))
      yield* raw.call("PERSIST", "larder-store:persisted")
      yield* raw.call("PERSIST", "larder-store:persisted too")
      expect(yield* run(Storage.exists("persisted"))).toBe(true)
      expect(yield* run(Storage.cleanup())).toBe(0)
      yield* Effect.sleep(250)
      expect(yield* run(Storage.exists("persisted"))).toBe(false)
      expect(yield* run(Storage.get("persisted too"))).toEqual(Option.none())
      expect(yield* run(Storage.cleanup())).toBe(1)
      yield* run(Storage.set("young", 1, { ttl: Infinity }))
      expect(yield* run(Storage.cleanup({ olderThan: "1 hour" }))).toBe(0)
      expect(yield* run(Storage.cleanup({ olderThan: 200 }))).toBe(300)
      expect(yield* run(Storage.keys())).toEqual(["expiring", "young"])
    })
  )
}

describeWithServer("a storage in Redis", ["redis-server"], () => {
  suite(started(rawOwn({})))
})

describeWithServer("a storage in Redis without scripts", ["redis-server"], () => {
  suite(started(rawOwn({ scripting: false })))
})

describeWithServer("a storage in Valkey", ["valkey-server"], () => {
  suite(started(rawOwn({ flavour: "valkey" })))
})

describeWithServer("a storage in a Redis Cluster", ["redis-server"], () => {
  suite(started(Effect.flatMap(startCluster(), rawCluster)))
})

function rawOwn(options: Parameters<typeof startRedis>[0]) {
  return Effect.flatMap(startRedis({ own: true, ...options }), rawServer)
}

describeWithServer("what a storage sends", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))

  it.scopedLive("is one command for one entry, and for several one round trip", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const run = yield* startStorage({ url: redis.url })
      const hears = yield* monitor(redis)
      const said = <A, E>(effect: Effect.Effect<A, E, Storage>) =>
        Effect.gen(function* () {
          yield* hears.clear
          yield* run(effect)
          return (yield* hears.overheard).flatMap(({ args: [name = ""], isFromLua }) =>
            isFromLua ? [] : [name.toUpperCase()]
          )
        })
      expect(yield* said(Storage.set("k", 1))).toEqual(["SET"])
      expect(yield* said(Storage.get("k"))).toEqual(["GET"])
      expect(yield* said(Storage.get("x"))).toEqual(["GET"])
      expect(yield* said(Storage.exists("k"))).toEqual(["PTTL"])
      expect(yield* said(Storage.delete("k"))).toEqual(["UNLINK"])
      const many = some(3).map((key) => [key, 1] as const)
      yield* run(Storage.setMany(many))
      expect(yield* said(Storage.setMany(many))).toEqual(["EVALSHA"])
      expect(yield* said(Storage.getMany(["x", ...some(3)]))).toEqual(["MGET", "EXISTS"])
      expect(yield* said(Storage.deleteMany(["x", ...some(3)]))).toEqual(["UNLINK"])
      expect(yield* said(Storage.keys("a*"))).toEqual(["SCAN"])
      const [[, ...scan] = []] = (yield* hears.overheard).map(({ args }) => args)
      expect(scan).toEqual(["0", "MATCH", "larder-store:a*", "COUNT", "1000"])
    })
  )

  it.scopedLive("is one transaction for several, where there are no scripts", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis({ own: true, scripting: false })
      const run = yield* startStorage({ url: redis.url })
      const many = some(3).map((key) => [key, 1] as const)
      yield* run(Storage.setMany(many))
      const hears = yield* monitor(redis)
      yield* run(Storage.setMany(many))
      const said = (yield* hears.overheard).map(({ args }) => args[0]?.toUpperCase())
      expect(said).toEqual(["MULTI", "SET", "SET", "SET", "EXEC"])
    })
  )

  it.scopedLive("is never more than the server can bear of a pattern", () =>
    Effect.gen(function* () {
      const redis = yield* server
      const run = yield* startStorage({ url: redis.url })
      const hears = yield* monitor(redis)
      yield* run(Storage.set("x*y", 1))
      expect(yield* run(Storage.view(Schema.Unknown, { prefix: "x*" }).keys("*y"))).toEqual(["y"])
      yield* run(Storage.keys("a*?b[c]" + "*a".repeat(1_000)))
      const patterns = (yield* hears.overheard).flatMap(({ args }) =>
        args[0]?.toUpperCase() === "SCAN" ? [args[3]] : []
      )
      // MONITOR shows a backslash as two.
      expect(patterns).toEqual(["larder-store:x\\\\**y", "larder-store:a*b*a*"])
    })
  )

  it.scopedLive("ends no WATCH of others on its connection: who watches goes first", () =>
    Effect.gen(function* () {
      const redis = yield* startRedis({ own: true, scripting: false })
      const client = Context.get(
        yield* Layer.build(RedisClient.layer({ url: redis.url })),
        RedisClient
      )
      const run = yield* startStorageOn(client)
      const setting = run(Storage.setMany(some(2).map((key) => [key, 1] as const)))
      yield* setting
      yield* run(Storage.deleteMany(some(2)))
      const [{ turn }] = client.links
      yield* turn.take(1)
      const waiting = yield* Effect.fork(setting)
      yield* Effect.sleep(50)
      expect(yield* command(redis, "DBSIZE")).toBe(0)
      yield* turn.release(1)
      yield* Fiber.join(waiting)
      expect(yield* command(redis, "DBSIZE")).toBe(2)
      yield* turn.take(1)
      const { reason } = yield* Effect.flip(setting)
      expect(reason).toBe("Timeout")
      yield* turn.release(1)
    })
  )
})
