/** A storage that finds its server by the environment. */
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Storage, type StorageEntry } from "effect-larder"
import { RedisClient, RedisStorage, RedisStorageLive } from "effect-larder/redis"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"
import { started } from "./backends.js"
import { ofLevel, withLog } from "./log.js"

/** Runs something as a process with this environment would; with what it logs. */
const under =
  (environment: Readonly<Record<string, string>>) =>
  <A, E>(effect: Effect.Effect<A, E, Storage>) =>
    withLog((lines) =>
      Effect.map(
        Effect.provide(effect, Layer.fresh(RedisStorageLive)),
        (value) => [value, ofLevel(lines, "INFO")] as const
      )
    ).pipe(Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment)))))

const ttlOf = ({ createdAt, expiresAt }: StorageEntry) =>
  Option.map(expiresAt, (end) => end.epochMillis - createdAt.epochMillis)

const setAndGet = Effect.gen(function* () {
  yield* Storage.set("k", 1)
  return ttlOf(Option.getOrThrow(yield* Storage.getEntry("k")))
})

const hour = Option.some(3_600_000)

describeWithServer("the live storage", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))

  it.scopedLive(
    "is at LARDER_STORAGE_REDIS_URL, or else at REDIS_URL, for an hour, and says so",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server
        const [ttl, said] = yield* under({ REDIS_URL: url })(setAndGet)
        expect(ttl).toEqual(hour)
        expect(said).toEqual([
          "Entries of this Redis storage live for 1 hour, unless their set says otherwise. " +
            "RedisStorage.layer({ ttl }) or LARDER_STORAGE_TTL_SECONDS changes that; Infinity: for good"
        ])
        const both = { REDIS_URL: "no url", LARDER_STORAGE_REDIS_URL: ` ${url} ` }
        expect((yield* under(both)(setAndGet))[0]).toEqual(hour)
        const unset = {
          REDIS_URL: url,
          LARDER_STORAGE_REDIS_URL: "",
          LARDER_STORAGE_TTL_SECONDS: ""
        }
        expect((yield* under(unset)(setAndGet))[0]).toEqual(hour)
      })
  )

  it.scopedLive("lets entries live for as long as it is told, and says nothing then", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const told = (text: string) =>
        under({ REDIS_URL: url, LARDER_STORAGE_TTL_SECONDS: text })(setAndGet)
      expect(yield* told("1.5")).toEqual([Option.some(1_500), []])
      expect(yield* told("Infinity")).toEqual([Option.none(), []])
      for (const wrong of ["0", "-1", "soon", "5 minutes"]) {
        const error = yield* Effect.flip(told(wrong))
        expect(String(error)).toContain("LARDER_STORAGE_TTL_SECONDS")
        expect(String(error)).toContain("allowed: seconds, above zero, or Infinity, for good")
      }
    })
  )

  it.scopedLive("is none where its address is wrong, and tries no other", () =>
    Effect.forEach(
      ["no url", "http://127.0.0.1", "redis://:s3cret@/0", "redis://:s3cret/#@127.0.0.1", "6379"],
      (url) =>
        Effect.gen(function* () {
          const error = yield* Effect.flip(under({ REDIS_URL: url })(setAndGet))
          expect(error).toMatchObject({ _tag: "StorageError", reason: "UnsupportedUrl" })
          expect(error.message).toContain("allowed: redis://user:password@host:port/database")
          expect(String(error) + Cause.pretty(Cause.fail(error))).not.toContain("s3cret")
        })
    )
  )

  it.scopedLive("is none where nobody answers, or where we are not let in", () =>
    Effect.gen(function* () {
      const closed = yield* startRedis({ own: true })
      yield* closed.kill
      const [time, gone] = yield* Effect.timed(
        Effect.flip(under({ REDIS_URL: closed.url })(setAndGet))
      )
      expect(gone).toMatchObject({ _tag: "StorageError", reason: "Unavailable" })
      expect(gone.message).toContain(`there is no connection to ${closed.url}/0: connect ECONN`)
      expect(Duration.toMillis(time)).toBeLessThan(6_000)
      const { host, port } = yield* startRedis({ own: true, args: ["--requirepass", "another"] })
      const url = `redis://:s3cret@${host}:${port}`
      const denied = yield* Effect.flip(under({ REDIS_URL: url })(setAndGet))
      expect(denied).toMatchObject({ _tag: "StorageError", reason: "Denied" })
      expect(denied.message + Cause.pretty(Cause.fail(denied))).not.toContain("s3cret")
    })
  )

  it.scopedLive("takes no option that is wrong: that is a defect", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const built = (options: RedisStorage.RedisStorageOptions) =>
        Effect.exit(
          Layer.build(RedisStorage.layer(options).pipe(Layer.provide(RedisClient.layer({ url }))))
        )
      const wrong = [{ prefix: "" }, { prefix: "a:b" }, { prefix: "a*" }, { ttl: 0 }, { ttl: -1 }]
      for (const options of wrong) {
        const exit = yield* built(options)
        expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
        expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("allowed: ")
      }
    })
  )
})
