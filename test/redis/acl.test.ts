/** The least that a Redis user must be allowed, as the documentation says: it is enough, and all is needed. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { RedisCache, RedisClient, type RedisClientOptions } from "effect-larder/redis"
import { cacheConformance } from "effect-larder/testing"
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
const elsewhere = rulesIn(/^- With another database than 0, `(.*?)` besides\.$/m)

const scripts = ["+eval", "+evalsha"]

const password = "secret"
const nameOf = (prefix: string) => `user-of-${prefix}`

let last = 0
/** A user for each test, with a prefix of its own: one sees no other's entries. */
const cacheOfUser = (
  servers: ReadonlyArray<RedisServer>,
  rules: ReadonlyArray<string>,
  where: RedisClientOptions
) =>
  Effect.gen(function* () {
    const prefix = `acl-${++last}`
    const own = rules.map((rule) => rule.replace(/^([~&])larder/, `$1${prefix}`))
    yield* Effect.forEach(servers, (server) =>
      Effect.orDie(command(server, "ACL", "SETUSER", nameOf(prefix), ...own))
    )
    const user = { username: nameOf(prefix), password: Redacted.make(password) }
    return RedisCache.layer({ prefix }).pipe(
      Layer.provide(RedisClient.layer({ ...where, ...user }))
    )
  })

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
  start: Effect.Effect<{
    readonly servers: ReadonlyArray<RedisServer>
    readonly where: RedisClientOptions
  }>
) => {
  describe(title, () => {
    const cache = Layer.unwrapEffect(
      Effect.flatMap(start, ({ servers, where }) => cacheOfUser(servers, rules, where))
    )
    cacheConformance("the cache", cache, { describe, it }, { shortestTtl: 1 })

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
  const one = Effect.map(started(startRedis({ own: true })), (server) => ({
    servers: [server],
    where: { url: server.url }
  }))
  const other = Effect.map(started(startRedis({ own: true })), (server) => ({
    servers: [server],
    where: { url: server.url, database: 1 }
  }))
  const cluster = Effect.map(started(startCluster()), ({ nodes }) => ({
    servers: nodes,
    where: { cluster: { nodes: nodes.map(({ host, port }) => `${host}:${port}`) } }
  }))
  const transactions = [...least.filter((rule) => !scripts.includes(rule)), ...withoutScripts]

  suite("with scripts", least, [], one)
  suite("without, elsewhere", [...transactions, ...elsewhere], ["evalsha"], other)
  suite("on a Cluster", [...least, ...onCluster], [], cluster)
})
