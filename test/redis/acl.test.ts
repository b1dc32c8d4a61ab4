/** The least that a Redis user must be allowed, as the documentation says: it is enough, and all is needed. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { RedisCache, RedisClient, type RedisClientOptions, RedisStorage } from "effect-larder/redis"
import { cacheConformance, storageConformance } from "effect-larder/testing"
import * as Fs from "node:fs"
import { describe, expect, it } from "vitest"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, type RedisServer, startCluster, startRedis } from "../servers/redis.js"
import { started } from "./backends.js"

const page = Fs.readFileSync(new URL("../../docs/choosing-a-backend.md", import.meta.url), "utf8")

/** Rules of that page, word by word; the group of the pattern has them. */
const rulesIn = (pattern: RegExp): ReadonlyArray<string> => {
  const [, rules] = pattern.exec(page) ?? []
  if (rules === undefined) throw new Error(`the page has nothing like ${pattern}`)
  return rules.trim().split(/\s+/)
}

const least = rulesIn(/^ACL SETUSER larder ([^]*?)^```$/m)
const withoutScripts = rulesIn(/^- Without scripts, `(.*?)` in the place of `\+eval \+evalsha`\.$/m)
const onCluster = rulesIn(/^- On a Cluster, on each of its nodes, `(.*?)` besides\.$/m)
const ofStorage = rulesIn(/^ACL SETUSER larder-store ([^]*?)^```$/m)
const storageWithoutScripts = rulesIn(/^- Where scripts are refused, `(.*?)` in their place\.$/m)
const elsewhere = rulesIn(/^- With another database than 0, `(.*?)` besides\.$/m)

const scripts = ["+eval", "+evalsha"]

const password = "secret"
const nameOf = (prefix: string) => `user-of-${prefix}`

let last = 0
/** A user for each test, with a prefix of its own: one sees no other's entries. */
const clientOfUser = (
  servers: ReadonlyArray<RedisServer>,
  rules: ReadonlyArray<string>,
  where: RedisClientOptions
) =>
  Effect.gen(function* () {
    const prefix = `acl-${++last}`
    const own = rules.map((rule) => rule.replace(/^([~&])larder(-store)?/, `$1${prefix}`))
    yield* Effect.forEach(servers, (server) =>
      Effect.orDie(command(server, "ACL", "SETUSER", nameOf(prefix), ...own))
    )
    const user = { username: nameOf(prefix), password: Redacted.make(password) }
    return { prefix, client: RedisClient.layer({ ...where, ...user }) }
  })

type Start = Effect.Effect<{
  readonly servers: ReadonlyArray<RedisServer>
  readonly where: RedisClientOptions
}>

/** Registers the tests of what such a user makes use of. */
type Register = (rules: ReadonlyArray<string>, start: Start) => void

const theCache: Register = (rules, start) => {
  const cache = Effect.gen(function* () {
    const { servers, where } = yield* start
    const { client, prefix } = yield* clientOfUser(servers, rules, where)
    return RedisCache.layer({ prefix }).pipe(Layer.provide(client))
  })
  cacheConformance("the cache", Layer.unwrapEffect(cache), { describe, it }, { shortestTtl: 1 })
}

/** The builds of one test are two processes: they have their prefix in common. */
const theStorage: Register = (rules, start) => {
  const user = started(
    Effect.flatMap(start, ({ servers, where }) => clientOfUser(servers, rules, where))
  )
  const storage = Effect.map(user, ({ client, prefix }) =>
    RedisStorage.layer({ prefix, ttl: Infinity }).pipe(Layer.provide(client))
  )
  const layer = Layer.unwrapEffect(storage)
  storageConformance("the storage", layer, { describe, it }, { expiry: "native" })
}

/** What users were refused, each command once. */
const refused = (server: RedisServer) =>
  Effect.map(command(server, "ACL", "LOG", 1_000), (log) => {
    const entries = log as ReadonlyArray<ReadonlyArray<string>>
    const objects = entries.map((entry) => entry[entry.indexOf("object") + 1] ?? "")
    // The driver's introductions: it does without.
    return [...new Set(objects)].filter((object) => !object.startsWith("client"))
  })

/** The commands that the server has executed. */
const executed = (server: RedisServer) =>
  Effect.map(command(server, "INFO", "commandstats"), (info) =>
    [...String(info).matchAll(/^cmdstat_(\S+?):calls=[1-9]/gm)].map(([, name]) => name)
  )

const suite = (
  title: string,
  rules: ReadonlyArray<string>,
  refusedBesides: ReadonlyArray<string>,
  start: Start,
  register: Register = theCache
) => {
  describe(title, () => {
    register(rules, start)

    it("is refused nothing else, and needs it all", () =>
      Effect.gen(function* () {
        const { servers } = yield* start
        const refusals = yield* Effect.forEach(servers, refused)
        expect(new Set(refusals.flat())).toEqual(new Set(refusedBesides))
        const commands = new Set((yield* Effect.forEach(servers, executed)).flat())
        const unused = rules
          .filter((rule) => rule.startsWith("+"))
          .map((rule) => rule.slice(1))
          // It is sent where nothing has been said for long.
          .filter((name) => name !== "ping" && !commands.has(name))
        expect(unused).toEqual([])
      }).pipe(Effect.runPromise))
  })
}

describeWithServer("a user who may do the least", ["redis-server"], () => {
  const serverWith = (where: RedisClientOptions): Start =>
    Effect.map(started(startRedis({ own: true })), (server) => ({
      servers: [server],
      where: { url: server.url, ...where }
    }))
  const clusterOfThree = (): Start =>
    Effect.map(started(startCluster()), ({ nodes }) => ({
      servers: nodes,
      where: { cluster: { nodes: nodes.map(({ host, port }) => `${host}:${port}`) } }
    }))
  const unscripted = (rules: ReadonlyArray<string>) =>
    rules.filter((rule) => !scripts.includes(rule))

  const transactions = [...unscripted(least), ...withoutScripts, ...elsewhere]
  suite("with scripts", least, [], serverWith({}))
  suite("without, elsewhere", transactions, ["evalsha"], serverWith({ database: 1 }))
  suite("on a Cluster", [...least, ...onCluster], [], clusterOfThree())

  const storing = [...unscripted(ofStorage), ...storageWithoutScripts, ...elsewhere]
  suite("of a storage", ofStorage, [], serverWith({}), theStorage)
  suite("of one without scripts", storing, ["evalsha"], serverWith({ database: 1 }), theStorage)
  suite("of one on a Cluster", [...ofStorage, ...onCluster], [], clusterOfThree(), theStorage)
})
