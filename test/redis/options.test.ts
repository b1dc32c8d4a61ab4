import { RedisClient } from "effect-larder/redis"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import {
  decode,
  type RedisClientOptions,
  required,
  requiredOfCluster
} from "../../src/redis/options.js"

const password = Redacted.make("s3cret")

/** What the driver is told of a server, without what it is told in any case. */
const told = (options: RedisClientOptions) => {
  const { server } = decode(options)
  const { db, host, password, port, tls, username } = server
  return { db, host, password, port, tls, username }
}

const plain = {
  db: undefined,
  host: "localhost",
  password: undefined,
  port: 6379,
  tls: undefined,
  username: undefined
}

describe("the settings of a server", () => {
  it("are those of a Redis on this machine, unless something else is said", () => {
    expect(told({})).toEqual(plain)
    expect(told({ url: undefined, database: undefined, tls: undefined })).toEqual(plain)
    expect(decode({})).toMatchObject({
      connectTimeout: 5_000,
      commandTimeout: 1_000,
      connections: 1,
      cluster: undefined,
      address: "redis://localhost:6379/0"
    })
  })

  it("may all be in a URL", () => {
    expect(told({ url: "redis://u%40x:p%2F%25@example.org:7000/3" })).toEqual({
      db: 3,
      host: "example.org",
      password: "p/%",
      port: 7000,
      tls: undefined,
      username: "u@x"
    })
    expect(told({ url: "rediss://example.org" })).toEqual({
      ...plain,
      host: "example.org",
      tls: {}
    })
    expect(told({ url: "redis://[::1]:7000/" })).toEqual({ ...plain, host: "::1", port: 7000 })
    expect(told({ url: "redis://:only@host" })).toEqual({
      ...plain,
      host: "host",
      password: "only"
    })
  })

  it("come back from a URL as they went in, whatever user and password are", () => {
    const text = FastCheck.string({ minLength: 1 })
    FastCheck.assert(
      FastCheck.property(text, text, FastCheck.nat(65_535), (username, password, port) => {
        const of = `${encodeURIComponent(username)}:${encodeURIComponent(password)}`
        expect(told({ url: `redis://${of}@host:${port}/1` })).toEqual({
          ...plain,
          db: 1,
          host: "host",
          password,
          port,
          username
        })
      })
    )
  })

  it("said apart win over those in the URL", () => {
    const url = "redis://user:in-url@host/1"
    expect(told({ url, username: "other", password, database: 0 })).toEqual({
      ...plain,
      db: 0,
      host: "host",
      password: "s3cret",
      username: "other"
    })
  })

  it("hand TLS on: by flag, with options of Node's own, or not at all", () => {
    expect(told({ tls: true }).tls).toEqual({})
    expect(told({ tls: { servername: "name" } }).tls).toEqual({ servername: "name" })
    expect(told({ tls: false }).tls).toBeUndefined()
    expect(decode({ tls: true }).address).toBe("rediss://localhost:6379/0")
  })

  it("bound every attempt and every command", () => {
    const limits = { connectTimeout: "2 seconds", commandTimeout: Duration.millis(0.5) } as const
    expect(decode(limits)).toMatchObject({
      connectTimeout: 2_000,
      commandTimeout: 1,
      server: { connectTimeout: 2_000, commandTimeout: 1 }
    })
  })

  it("leave one connection of all for what is pushed", () => {
    expect(decode({ maxConnections: 2 }).connections).toBe(1)
    expect(decode({ maxConnections: 10 }).connections).toBe(9)
  })

  it("never have the driver queue, or send a command again", () => {
    for (const options of [{}, { sentinels: { name: "m", nodes: ["h:1"] } }]) {
      expect(decode(options).server).toMatchObject({
        enableOfflineQueue: false,
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        keyPrefix: "",
        protocol: 2
      })
    }
    expect(decode({ cluster: { nodes: ["h:1"] } }).cluster?.options).toMatchObject({
      enableOfflineQueue: false,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      scaleReads: "master",
      redisOptions: {
        autoResendUnfulfilledCommands: false,
        maxRetriesPerRequest: 0,
        keyPrefix: "",
        protocol: 2
      }
    })
  })
})

describe("the settings of sentinels", () => {
  const sentinels = { name: "mymaster", nodes: ["one:26379", "[::1]:5"] }

  it("are handed on, and the server is theirs to name", () => {
    const settings = decode({ sentinels, username: "user", password, database: 2 })
    expect(settings.server).toMatchObject({
      name: "mymaster",
      sentinels: [
        { host: "one", port: 26_379 },
        { host: "::1", port: 5 }
      ],
      username: "user",
      password: "s3cret",
      db: 2
    })
    expect(settings.server.host).toBeUndefined()
    expect(settings.server.sentinelPassword).toBeUndefined()
    expect(settings.address).toBe("mymaster of sentinels one:26379 [::1]:5")
  })

  it("have credentials of their own, and the server's TLS", () => {
    const own = { ...sentinels, username: "guard", password: Redacted.make("0ther") }
    expect(decode({ sentinels: own, password, tls: { ca: "…" } }).server).toMatchObject({
      password: "s3cret",
      sentinelUsername: "guard",
      sentinelPassword: "0ther",
      tls: { ca: "…" },
      enableTLSForSentinelMode: true
    })
  })

  it("bound how long each is waited for", () => {
    expect(decode({ sentinels, commandTimeout: 700 }).server.sentinelCommandTimeout).toBe(700)
  })
})

describe("the settings of a cluster", () => {
  const cluster = { nodes: ["one:7000", "two:7001"] }

  it("are handed on, to each of its nodes", () => {
    const natMap = { "10.0.0.1:7000": { host: "one", port: 7_000 } }
    const settings = decode({
      cluster: { ...cluster, natMap },
      username: "user",
      password,
      tls: true,
      commandTimeout: 300,
      connectTimeout: 400
    })
    expect(settings.cluster).toMatchObject({
      nodes: [
        { host: "one", port: 7_000 },
        { host: "two", port: 7_001 }
      ],
      options: {
        natMap,
        slotsRefreshTimeout: 400,
        redisOptions: {
          username: "user",
          password: "s3cret",
          tls: {},
          commandTimeout: 300,
          connectTimeout: 400
        }
      }
    })
    // For the connection that hears pushes.
    expect(settings.server).toMatchObject({ username: "user", password: "s3cret", tls: {} })
    expect(settings.address).toBe("cluster one:7000 two:7001")
  })

  it("keep the names of nodes where a certificate is checked by them", () => {
    const resolve = decode({ cluster, tls: true }).cluster?.options.dnsLookup
    let found: string | undefined
    resolve?.("one", (_, address) => {
      found = address
    })
    expect(found).toBe("one")
    expect(decode({ cluster }).cluster?.options.dnsLookup).toBeUndefined()
  })

  it("allow database 0, and no other", () => {
    expect(decode({ cluster, database: 0 }).cluster).toBeDefined()
    expect(() => decode({ cluster, database: 1 })).toThrow(
      "Redis setting database is 1; allowed: 0, which is all that a Cluster has"
    )
  })
})

const nodes = ["host:1"]

const wrong: ReadonlyArray<readonly [said: string, options: RedisClientOptions]> = [
  ["url is given together with others; allowed: one of", { url: "redis://h", cluster: { nodes } }],
  ["url is given together", { cluster: { nodes }, sentinels: { name: "m", nodes } }],
  ["maxConnections is 1; allowed: a whole number from 2 up", { maxConnections: 1 }],
  ["maxConnections is 2.5; allowed", { maxConnections: 2.5 }],
  ["maxConnections is NaN; allowed", { maxConnections: Number.NaN }],
  ["database is -1; allowed: a whole number from 0 up", { database: -1 }],
  ["database is 0.5; allowed", { database: 0.5 }],
  ["database is NaN; allowed", { database: Number.NaN }],
  [
    "password is not shown here, for it may hold a password; allowed: Redacted.make(password)",
    { password: "secret" as never }
  ],
  ['database) is "first"; allowed: a whole number from 0 up', { url: "redis://h/first" }],
  ['database) is "0x10"; allowed', { url: "redis://h/0x10" }],
  ['database) is " "; allowed', { url: "redis://h/%20" }],
  ['connectTimeout is "soon"; allowed: a duration of', { connectTimeout: "soon" as never }],
  ["connectTimeout is 0; allowed", { connectTimeout: 0 }],
  [
    'commandTimeout is "25 days"; allowed: a duration of 1 millisecond to 24 days',
    { commandTimeout: "25 days" }
  ],
  ["commandTimeout is Infinity; allowed", { commandTimeout: Infinity }],
  ['cluster is "host"; allowed: "host:port"', { cluster: { nodes: ["host"] } }],
  ['cluster is "redis://host:1"; allowed', { cluster: { nodes: ["redis://host:1"] } }],
  ['cluster is "h:65536"; allowed', { cluster: { nodes: ["h:65536"] } }],
  [
    'cluster is not shown here, for it may hold a password; allowed: "host:port"',
    { cluster: { nodes: ["redis://:secret@host:6379"] } }
  ],
  ["cluster is without nodes; allowed: at least one host:port", { cluster: { nodes: [] } }],
  ['sentinels is "::1:5"; allowed', { sentinels: { name: "m", nodes: ["::1:5"] } }],
  ["sentinels is without nodes; allowed: at least one", { sentinels: { name: "m", nodes: [] } }],
  [
    "url is not shown here, for it may hold a password; allowed: redis://user:password@host",
    { url: "" }
  ],
  ["url is not shown here", { url: "localhost" }],
  ["url is not shown here", { url: "localhost:6379" }],
  ["url is not shown here", { url: "http://localhost:6379" }],
  ["url is not shown here", { url: "redis://" }],
  ["url is not shown here", { url: "redis:///0" }],
  ["url is not shown here", { url: "redis://h:65536" }]
]

describe("a wrong setting", () => {
  it.each(wrong)("is named, with what is allowed: %s", (said, options) => {
    expect(() => decode(options)).toThrow(said)
  })

  // Not encoded, such a password makes other parts of the URL: an error, or else
  // a connection to a host of its user's name.
  it.each([
    "s3cret/s3cret",
    "1/s3cret",
    "1?s3cret",
    "1#s3cret",
    "s3cret#1",
    "s3cret%",
    "s3cret%zz"
  ])("shows no password, nor half of one: %s", (password) => {
    for (const url of [`redis://user:${password}@host:6379/0`, `redis://:${password}@host/x`]) {
      const decoding = () => decode({ url })
      expect(decoding).toThrow("url is not shown here")
      expect(decoding).not.toThrow(/cret/)
    }
  })

  it("shows no password of other settings either, nor does an address", () => {
    for (const [, options] of wrong) {
      const secretive = { ...options, password, username: "s3cret" }
      expect(() => decode(secretive)).not.toThrow(/s3cret/)
    }
    for (const options of [
      { url: "redis://s3cret:s3cret@host/1" },
      { sentinels: { name: "m", nodes, password, username: "s3cret" } },
      { cluster: { nodes } }
    ]) {
      expect(decode({ ...options, password }).address).not.toContain("s3cret")
    }
  })

  it("is a defect when the layer is built, of every kind of layer", async () => {
    for (const layer of [
      RedisClient.layer({ maxConnections: 0 }),
      RedisClient.layerStrict({ maxConnections: 0 })
    ]) {
      const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(layer)))
      expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
      expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("maxConnections is 0")
    }
  })
})

describe("a connection that is lost", () => {
  const limits = { connectTimeout: 5_000, commandTimeout: 1_000 }
  const ways = {
    server: required(limits).retryStrategy,
    cluster: requiredOfCluster(limits, {}).clusterRetryStrategy
  }
  for (const [of, again] of Object.entries(ways)) {
    it(`is made again soon, at random, for ever: ${of}`, () => {
      for (const times of [1, 2, 5, 10, 100, 100_000]) {
        const delays = Array.from({ length: 200 }, () => Number(again?.(times)))
        expect(Math.min(...delays)).toBeGreaterThanOrEqual(25)
        expect(Math.max(...delays)).toBeLessThanOrEqual(Math.min(times * 50, 500))
        expect(new Set(delays).size).toBeGreaterThan(5)
      }
    })
  }
})
