/** Processes that know Redis from their environment alone. */
import { expect, it, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, type RedisServer, startRedis } from "../servers/redis.js"
import { startWorker } from "../servers/worker.js"
import type { LiveHandlers } from "./live.worker.js"

class Server extends Context.Tag("test/Server")<Server, RedisServer>() {
  static readonly layer = Layer.scoped(Server, startRedis())
}

const prefix = `live-${process.pid}-${Date.now()}`

const start = (env: Readonly<Record<string, string>>) =>
  startWorker<LiveHandlers>(new URL("live.worker.ts", import.meta.url), {
    env: { REDIS_URL: "", LARDER_CACHE_REDIS_URL: "", LARDER_CACHE_PREFIX: prefix, ...env }
  })

type Started = Effect.Effect.Success<ReturnType<typeof start>>

const toldOf = (worker: Started, level: string) =>
  Effect.map(worker.ask("logged"), (logged) => logged.filter((line) => line.level === level))

const loudest = (worker: Started) => toldOf(worker, "ERROR")

/** Without Redis: one load for all who ask at once, and another for those who ask after them. */
const expectAlone = (worker: Started, key: string) =>
  Effect.gen(function* () {
    expect(yield* worker.ask("ask", { key, callers: 500 })).toHaveLength(1)
    expect(yield* worker.ask("loads")).toBe(1)
    yield* worker.ask("ask", { key, callers: 500 })
    expect(yield* worker.ask("loads")).toBe(2)
  })

const expectDegraded = (worker: Started, key: string) =>
  Effect.gen(function* () {
    yield* expectAlone(worker, key)
    expect(yield* command(yield* Server, "EXISTS", `${prefix}:${key}`)).toBe(0)
  })

describeWithServer("the live cache that starts while Redis is down", ["redis-server"], () => {
  it.scopedLive("goes on alone, and uses Redis when that is there, without a restart", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ own: true })
      yield* server.kill
      const worker = yield* start({ REDIS_URL: server.url })
      yield* expectAlone(worker, "alone")
      const address = `redis://${server.host}:${server.port}/0`
      expect(yield* toldOf(worker, "WARN")).toEqual([
        {
          level: "WARN",
          text: "Failed to connect to Redis, falling back to NoOp cache (graceful degradation)",
          annotations: { address, reason: expect.stringContaining("ECONNREFUSED") }
        }
      ])
      expect(yield* toldOf(worker, "INFO")).toEqual([])
      expect(yield* worker.ask("health")).toMatchObject({
        circuit: "open",
        healthy: false,
        address
      })

      yield* server.restart
      yield* Effect.repeat(worker.ask("health"), {
        until: ({ healthy }) => healthy,
        schedule: Schedule.spaced("100 millis")
      })
      expect((yield* toldOf(worker, "INFO")).map(({ text }) => text)).toEqual([
        "Circuit breaker half-open (testing recovery)",
        "Circuit breaker closed (recovered)"
      ])
      const [value] = yield* worker.ask("ask", { key: "together", callers: 10 })
      expect(yield* worker.ask("ask", { key: "together", callers: 10 })).toEqual([value])
      expect(yield* command(server, "EXISTS", `${prefix}:together`)).toBe(1)
    })
  )
})

describeWithServer("the live cache", ["redis"], () => {
  layer(Server.layer, { excludeTestServices: true })((it) => {
    it.scoped("shares an entry with another process that finds Redis at the same REDIS_URL", () =>
      Effect.gen(function* () {
        const { url } = yield* Server
        const one = yield* start({ REDIS_URL: url })
        const two = yield* start({ REDIS_URL: url })
        const [value] = yield* one.ask("ask", { key: "shared", callers: 10 })
        expect(value).toBe(`load 1 of ${one.pid}`)
        expect(yield* two.ask("ask", { key: "shared", callers: 10 })).toEqual([value])
        expect(yield* two.ask("loads")).toBe(0)
        expect(yield* two.ask("sockets")).toBeGreaterThan(0)
        expect(yield* two.ask("logged")).toEqual([
          {
            level: "INFO",
            text: "Distributed cache provider initialized successfully",
            annotations: { backend: "redis" }
          }
        ])
        expect(yield* two.ask("health")).toMatchObject({
          backend: "redis",
          circuit: "closed",
          healthy: true,
          reachable: true
        })
      })
    )

    it.scoped("goes by LARDER_CACHE_REDIS_URL where that is set, too", () =>
      Effect.gen(function* () {
        const { url } = yield* Server
        const one = yield* start({ REDIS_URL: url })
        const two = yield* start({ REDIS_URL: "no url", LARDER_CACHE_REDIS_URL: url })
        const [value] = yield* one.ask("ask", { key: "preferred", callers: 1 })
        expect(yield* two.ask("ask", { key: "preferred", callers: 1 })).toEqual([value])
        expect(yield* loudest(two)).toEqual([])
      })
    )

    it.scoped("says so where the address is wrong, goes on alone, and tries no other address", () =>
      Effect.gen(function* () {
        const { url } = yield* Server
        const wrong = ["no url", "http://127.0.0.1", "redis://:s3cret@/0", "127.0.0.1:6379"]
        yield* Effect.forEach(
          wrong,
          (address, index) =>
            Effect.gen(function* () {
              const worker = yield* start({ REDIS_URL: url, LARDER_CACHE_REDIS_URL: address })
              yield* expectDegraded(worker, `alone-${index}`)
              const [error, ...others] = yield* loudest(worker)
              expect(error?.text).toContain("goes on without Redis")
              expect(error?.text).not.toContain("s3cret")
              expect(others).toEqual([])
              const { reason, ...health } = yield* worker.ask("health")
              expect(health).toEqual({
                backend: "redis",
                circuit: "closed",
                healthy: false,
                reachable: false,
                address: "no address"
              })
              expect(reason).toMatch(
                /^There is no connection to redis at no address \(.*url.*\)\. /
              )
              expect(reason).toContain("So nothing is read from it or stored there")
              expect(reason).not.toContain("s3cret")
              expect(yield* worker.ask("sockets")).toBe(0)
              expect(yield* toldOf(worker, "INFO")).toEqual([])
            }),
          { concurrency: "unbounded" }
        )
      })
    )

    it.scoped("says so where the password is wrong, and goes on alone", () =>
      Effect.gen(function* () {
        const { host, port } = yield* Server
        const worker = yield* start({ REDIS_URL: `redis://nobody:s3cret@${host}:${port}` })
        yield* expectDegraded(worker, "refused")
        const [error] = yield* loudest(worker)
        expect(error?.text).toContain("refuses us")
        expect(error?.text).not.toContain("s3cret")
        const { reason, ...health } = yield* worker.ask("health")
        expect(health).toMatchObject({ circuit: "open", healthy: false, reachable: false })
        expect(health.address).toBe(`redis://${host}:${port}/0`)
        expect(reason).toMatch(/WRONGPASS|NOAUTH/)
        expect(reason).not.toContain("s3cret")
        expect(yield* toldOf(worker, "INFO")).toEqual([])
      })
    )

    it.scoped("never hits, and connects to nobody, where it is not enabled", () =>
      Effect.gen(function* () {
        const { url } = yield* Server
        const worker = yield* start({ REDIS_URL: url, LARDER_CACHE_ENABLED: "false" })
        expect(yield* worker.ask("ask", { key: "disabled", callers: 10 })).toHaveLength(10)
        expect(yield* worker.ask("loads")).toBe(10)
        expect(yield* worker.ask("sockets")).toBe(0)
        expect(yield* worker.ask("logged")).toEqual([
          {
            level: "INFO",
            text: "Distributed cache disabled by configuration",
            annotations: {}
          }
        ])
      })
    )
  })
})
