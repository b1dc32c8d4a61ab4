/** Servers that are not reached by an address alone: by password, TLS, Sentinel. */
import { describe, expect, it } from "@effect/vitest"
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient, type RedisClientOptions } from "effect-larder/redis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { Cluster, Redis } from "ioredis"
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import * as Binaries from "../servers/binaries.js"
import { freePort } from "../../src/testing/faults/port.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, monitor, type RedisServer, startCluster, startRedis } from "../servers/redis.js"
import { launch } from "../servers/redisProcess.js"
import { startCache } from "../cache/world.js"
import { started } from "./backends.js"

const reached = (settings: RedisClientOptions) =>
  Cache.getOrCreate("k", Effect.succeed("made")).pipe(
    Effect.zipRight(Effect.zip(Cache.get("k"), Cache.counters)),
    Effect.map(([found, { backendErrors }]) => ({ found: found._tag, backendErrors })),
    Effect.provide(RedisCache.layer().pipe(Layer.provide(RedisClient.layerStrict(settings))))
  )

const works = { found: "Some", backendErrors: 0 }

/** Why it is not reached, as the strict layer says it. */
const refused = (settings: RedisClientOptions) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(RedisClient.layerStrict(settings)))), (error) =>
    String(error.message)
  )

const password = Redacted.make("s3cret pass/word")

describeWithServer("a Redis with a password", ["redis-server"], () => {
  const server = started(startRedis({ args: ["--requirepass", Redacted.value(password)] }))

  it.scopedLive("is reached with it, apart or in the URL, and with a user's name", () =>
    Effect.gen(function* () {
      const { host, port, url } = yield* server
      expect(yield* reached({ url, password })).toEqual(works)
      const encoded = encodeURIComponent(Redacted.value(password))
      expect(yield* reached({ url: `redis://:${encoded}@${host}:${port}` })).toEqual(works)
      expect(yield* reached({ url, username: "default", password })).toEqual(works)
    })
  )

  it.scopedLive("is not reached without, nor with a wrong one, and neither is shown", () =>
    Effect.gen(function* () {
      const { host, port, url } = yield* server
      expect(yield* refused({ url })).toContain(`No Redis at redis://${host}:${port}/0: NOAUTH`)
      const wrong = yield* refused({ url, password: Redacted.make("0ther") })
      expect(wrong).toContain("WRONGPASS")
      expect(wrong).not.toContain("0ther")
      expect(yield* refused({ url: `redis://me:0ther@${host}:${port}` })).not.toContain("0ther")
    })
  )

  it.scopedLive("that refuses is an error in the log of a layer that tolerates it", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const lines: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        lines.push(`${logLevel.label} ${String(message)}`)
      })
      yield* Layer.build(RedisClient.layer({ url, password: Redacted.make("0ther") })).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      expect(lines[0]).toMatch(/^ERROR Redis at redis:\/\/127\.0\.0\.1:\d+\/0 refuses us/)
      expect(lines.join()).not.toContain("0ther")
    })
  )

  it.scopedLive("holds each database apart", () =>
    Effect.gen(function* () {
      const { host, port, url } = yield* server
      const encoded = encodeURIComponent(Redacted.value(password))
      const inUrl = `redis://:${encoded}@${host}:${port}/5`
      for (const settings of [{ url, password, database: 3 }, { url: inUrl }]) {
        expect(yield* reached(settings)).toEqual(works)
      }
      const raw = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(inUrl)),
        (it) => Effect.sync(() => it.disconnect())
      )
      const keyspace = yield* Effect.promise(() => raw.info("keyspace"))
      expect(keyspace).toMatch(/^db3:keys=1,/m)
      expect(keyspace).toMatch(/^db5:keys=1,/m)
    })
  )
})

const run = promisify(execFile)

/** A certificate for 127.0.0.1, signed by nobody; undefined without openssl. */
const certificate = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "certificate-" })
  const [key, cert] = [Path.join(folder, "key.pem"), Path.join(folder, "cert.pem")]
  yield* Effect.promise(() =>
    run("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=IP:127.0.0.1"]
    ])
  )
  return { key, cert }
}).pipe(Effect.provide(NodeContext.layer))

const hasOpenssl = await run("openssl", ["version"]).then(
  () => true,
  () => false
)

describe.skipIf(!hasOpenssl)("with openssl to make a certificate", () => {
  describeWithServer("a Redis with TLS", ["redis-server"], () => {
    const server = started(
      Effect.gen(function* () {
        const { cert, key } = yield* certificate
        const port = yield* freePort
        yield* startRedis({
          args: [
            ...["--tls-port", String(port), "--tls-auth-clients", "no"],
            ...["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert]
          ]
        })
        return { host: `127.0.0.1:${port}`, ca: readFileSync(cert, "utf8") }
      })
    )

    it.scopedLive("is reached by its certificate, whichever way TLS is asked for", () =>
      Effect.gen(function* () {
        const { ca, host } = yield* server
        expect(yield* reached({ url: `rediss://${host}`, tls: { ca } })).toEqual(works)
        expect(yield* reached({ url: `redis://${host}`, tls: { ca } })).toEqual(works)
      })
    )

    it.scopedLive("is not trusted for nothing, and not spoken to in the clear", () =>
      Effect.gen(function* () {
        const { host } = yield* server
        for (const settings of [
          { url: `rediss://${host}` },
          { url: `redis://${host}`, tls: true }
        ]) {
          expect(yield* refused(settings)).toContain(`rediss://${host}/0: self-signed certificate`)
        }
        expect(yield* refused({ url: `redis://${host}` })).toContain(
          `No Redis at redis://${host}/0`
        )
      })
    )
  })
})

/** A sentinel that watches the servers of these names. */
const startSentinel = (watched: Readonly<Record<string, RedisServer>>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { env, path } = yield* Binaries.find("redis-server")
    const folder = yield* fs.makeTempDirectoryScoped({ directory: tmpdir(), prefix: "sentinel-" })
    const settings = Path.join(folder, "sentinel.conf")
    yield* fs.writeFileString(
      settings,
      [
        "bind 127.0.0.1",
        `dir ${folder}`,
        ...Object.entries(watched).map(
          ([name, { host, port }]) => `sentinel monitor ${name} ${host} ${port} 1`
        )
      ].join("\n")
    )
    const { port } = yield* launch({
      file: path,
      args: (port) => [settings, "--sentinel", "--port", String(port)],
      env
    })
    return `127.0.0.1:${port}`
  }).pipe(Effect.provide(NodeContext.layer))

describeWithServer("a Redis that sentinels name", ["redis-server"], () => {
  const servers = started(Effect.all([startRedis({ own: true }), startRedis({ own: true })]))
  const sentinel = started(Effect.flatMap(servers, ([one, other]) => startSentinel({ one, other })))

  it.scopedLive("is the one of that name, commands and pushes alike", () =>
    Effect.gen(function* () {
      const [, other] = yield* servers
      const sentinels = { name: "other", nodes: [yield* sentinel] }
      expect(yield* reached({ sentinels })).toEqual(works)
      const raw = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(other.url)),
        (it) => Effect.sync(() => it.disconnect())
      )
      expect(yield* Effect.promise(() => raw.exists("larder:k"))).toBe(1)
      yield* Layer.build(RedisCache.layer().pipe(Layer.provide(RedisClient.layer({ sentinels }))))
      expect(yield* Effect.promise(() => raw.pubsub("NUMSUB", "larder!push"))).toEqual([
        "larder!push",
        1
      ])
    })
  )

  it.scopedLive("is found though a sentinel is down, and another says nothing", () =>
    Effect.gen(function* () {
      const [silent] = yield* Effect.all([startRedis({ own: true })])
      yield* silent.pause
      const down = yield* freePort
      const nodes = [`127.0.0.1:${down}`, `127.0.0.1:${silent.port}`, yield* sentinel]
      expect(
        yield* reached({ sentinels: { name: "one", nodes }, commandTimeout: "300 millis" })
      ).toEqual(works)
    })
  )

  it.scopedLive("is missed when no sentinel knows the name, and that is said", () =>
    Effect.gen(function* () {
      const node = yield* sentinel
      const sentinels = { name: "nobody", nodes: [node] }
      const message = yield* refused({ sentinels, connectTimeout: "500 millis" })
      expect(message).toContain(`No Redis at nobody of sentinels ${node}: `)
    })
  )
})

const disconnecting = <A extends { readonly disconnect: () => void }>(open: () => A) =>
  Effect.acquireRelease(Effect.sync(open), (client) => Effect.sync(() => client.disconnect()))

describeWithServer("through a user's own client", ["redis-server"], () => {
  const servers = started(Effect.all([startRedis({ own: true }), startRedis({ own: true })]))

  it.scopedLive("the same server is reached, by other connections and without its prefix", () =>
    Effect.gen(function* () {
      const [{ url }] = yield* servers
      const client = yield* disconnecting(
        () => new Redis(`${url}/4`, { keyPrefix: "theirs:", enableAutoPipelining: true })
      )
      yield* Effect.promise(() => client.set("mine", 1))
      const [, own = ""] =
        / addr=(\S+)/.exec(yield* Effect.promise(() => client.client("INFO"))) ?? []
      const heard = yield* monitor({ url })
      const layer = RedisCache.layer({ prefix: "ours" }).pipe(
        Layer.provide(RedisClient.fromIORedis(client))
      )
      const use = Effect.zipRight(
        Cache.getOrCreate("k", Effect.succeed(1)),
        Effect.zipRight(Cache.clear, Cache.set("k", 2))
      )
      yield* Effect.provide(use, layer)
      const lines = yield* heard.lines
      expect(lines.filter((line) => line.includes("ours:k")).length).toBeGreaterThan(2)
      expect(lines.filter((line) => line.includes(own))).toEqual([])

      expect(client.status).toBe("ready")
      expect(yield* Effect.promise(() => client.get("mine"))).toBe("1")
      const raw = yield* disconnecting(() => new Redis(`${url}/4`))
      expect((yield* Effect.promise(() => raw.keys("*"))).toSorted()).toEqual([
        "ours:k",
        "theirs:mine"
      ])
    })
  )

  it.scopedLive("pushes are heard where the client for them is connected", () =>
    Effect.gen(function* () {
      const [one, other] = yield* servers
      const client = yield* disconnecting(() => new Redis(one.url))
      const subscriber = yield* disconnecting(() => new Redis(other.url))
      yield* Layer.build(
        RedisCache.layer().pipe(Layer.provide(RedisClient.fromIORedis(client, { subscriber })))
      )
      const listeners = (to: Redis) => Effect.promise(() => to.pubsub("NUMSUB", "larder!push"))
      expect(yield* listeners(client)).toEqual(["larder!push", 0])
      expect(yield* listeners(subscriber)).toEqual(["larder!push", 1])
      expect(client.status + subscriber.status).toBe("readyready")
    })
  )

  it.scopedLive("the same cluster is reached, connected already or not yet", () =>
    Effect.gen(function* () {
      const { nodes } = yield* startCluster()
      const addresses = nodes.map(({ host, port }) => ({ host, port }))
      const [connected, lazy] = yield* Effect.all([
        disconnecting(() => new Cluster(addresses, { keyPrefix: "theirs:" })),
        disconnecting(() => new Cluster(addresses, { lazyConnect: true }))
      ])
      yield* Effect.promise(() => connected.set("mine", 1))
      let listeners = 0
      for (const client of [connected, lazy]) {
        const layer = RedisCache.layer({ prefix: "ours" }).pipe(
          Layer.provide(RedisClient.fromIORedis(client))
        )
        const keys = Array.from({ length: 20 }, (_, nth) => `k${nth}`)
        const use = Effect.forEach(keys, (key) => Cache.getOrCreate(key, Effect.succeed(1)))
        const run = yield* startCache(layer)
        yield* run(use)
        expect((yield* run(Cache.counters)).backendErrors).toBe(0)
        const listening = yield* Effect.forEach(nodes, (node) =>
          Effect.map(command(node, "PUBSUB", "NUMSUB", "ours!push"), (reply) =>
            Number((reply as ReadonlyArray<unknown>)[1])
          )
        )
        expect(listening.reduce((sum, each) => sum + each)).toBe(++listeners)
      }
      expect(lazy.status).toBe("wait")
      expect(yield* Effect.promise(() => connected.get("mine"))).toBe("1")
    })
  )
})
