/**
 * Who is compared over Redis: each with a connection of its own, values as JSON,
 * all else as it comes, and entries that live an hour.
 */
import { type CacheEntry, cachified, totalTtl } from "@epic-web/cachified"
import { createKeyv } from "@keyv/redis"
import { createCache as createDedupe } from "async-cache-dedupe"
import { BentoCache, bentostore } from "bentocache"
import { redisDriver } from "bentocache/drivers/redis"
import { createCache as createManaged } from "cache-manager"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Cache } from "effect-larder"
import type { RedisOptions } from "ioredis"
import type { Keyv } from "keyv"
import type { Address } from "../test/servers/redis.js"
import type { Sharing } from "./figures.js"
import { connect, makeRuntime, type RedisRuntime, ttl } from "./redisClients.js"
import { keyOf, type User, userOf, users } from "./users.js"

export const bare = "ioredis GET + JSON.parse"
const autoPipelining = "ioredis, auto-pipelining"
export const dedupes = "async-cache-dedupe on Redis"
export const bentosOnRedis = "bentocache, L2 only"
export const cachifieds = "cachified over ioredis"
export const managed = "cache-manager wrap, @keyv/redis"
export const keyvs = "keyv by hand, @keyv/redis"

/** A peer that promises: what it fetches, and the user that is in it. */
export interface Fetching {
  readonly name: string
  readonly fetch: (key: string) => Promise<unknown>
  /** Apart, so that a loop need not await a promise around a promise. */
  readonly userIn: (fetched: unknown) => User
}

/** A peer that makes what it does not find. */
export interface Caching extends Fetching {
  /** None of them has a word for the other processes. */
  readonly oneLoadFor: Exclude<Sharing, "all processes">
}

/** All of them over one server, with all users in each. */
export interface Peers {
  readonly runtime: RedisRuntime
  /** Ours: the full path, as an application would write it. */
  readonly lookup: (key: string) => Effect.Effect<User, never, Cache>
  readonly others: ReadonlyArray<Fetching>
}

export const make = (redis: Address): Effect.Effect<Peers, never, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* makeRuntime(redis)
    const lookup = (key: string) => Cache.getOrCreate(key, noUser)
    const fill = Effect.forEach(users, (user) =>
      Cache.getOrCreate(keyOf(user), Effect.succeed(user))
    )
    yield* Effect.promise(() => runtime.runPromise(fill))
    let load: Load = userOf
    const caches = yield* makeCaches(redis, () => (key) => load(key))
    yield* Effect.forEach(caches, ({ fetch }) => fillAll((user) => fetch(keyOf(user))))
    load = nobody
    return {
      runtime,
      lookup,
      others: [
        yield* makeBare(bare, redis),
        yield* makeBare(autoPipelining, redis, { enableAutoPipelining: true }),
        ...caches
      ]
    }
  })

const noUser = Effect.dieMessage("a hit was a miss")

const nobody = (): never => {
  throw new Error("a hit was a miss")
}

/** What a hit costs at the least, if each goes by itself. */
const makeBare = (name: string, redis: Address, options: RedisOptions = {}) =>
  Effect.gen(function* () {
    const connection = yield* connect(redis, options)
    yield* fillAll((user) => connection.set(keyOf(user), JSON.stringify(user), "PX", ttl))
    const fetching: Fetching = {
      name,
      fetch: (key) => connection.get(key),
      userIn: (text) => (typeof text === "string" ? JSON.parse(text) : nobody())
    }
    return fetching
  })

type Load = (key: string) => User | Promise<User>

/** By name: each may be told how to load what it does not find. */
export const makeCaches = (
  redis: Address,
  loadOf: (peer: string) => Load
): Effect.Effect<ReadonlyArray<Caching>, never, Scope.Scope> =>
  Effect.all([
    makeDedupe(redis, loadOf(dedupes)),
    makeBento(redis, loadOf(bentosOnRedis)),
    makeCachified(redis, loadOf(cachifieds)),
    makeManaged(redis, loadOf(managed)),
    makeKeyv(redis, loadOf(keyvs))
  ])

const userIn = (found: unknown): User => found as User

/**
 * Without `stale` and `invalidation`, which are off as it comes and cost more
 * commands. It shares what is under way for a key with all who ask meanwhile;
 * where nobody asks for the same key, this does nothing for it.
 */
const makeDedupe = (redis: Address, load: Load) =>
  Effect.map(connect(redis), (client): Caching => {
    const storage = { type: "redis", options: { client } } as const
    const cache = createDedupe({ ttl: ttl / 1_000, storage })
    const { user } = cache.define("user", async (key: string) => load(key))
    return { name: dedupes, oneLoadFor: "a process", fetch: user, userIn }
  })

const makeBento = (redis: Address, load: Load) =>
  Effect.map(connect(redis), (connection): Caching => {
    const cache = new BentoCache({
      default: "redis",
      ttl,
      stores: { redis: bentostore().useL2Layer(redisDriver({ connection })) }
    })
    return {
      name: bentosOnRedis,
      oneLoadFor: "a process",
      fetch: (key) => cache.getOrSet({ key, factory: () => load(key) }),
      userIn
    }
  })

/** Over an adapter that does what those for other clients do. */
const makeCachified = (redis: Address, load: Load) =>
  Effect.map(connect(redis), (connection): Caching => {
    const cache = {
      get: async (key: string): Promise<CacheEntry<User> | null> => {
        const text = await connection.get(key)
        return text === null ? null : JSON.parse(text)
      },
      set: (key: string, entry: CacheEntry<User>) =>
        connection.set(key, JSON.stringify(entry), "PX", totalTtl(entry.metadata)),
      delete: (key: string) => connection.del(key)
    }
    return {
      name: cachifieds,
      oneLoadFor: "a process",
      fetch: (key) =>
        cachified({ key: `cachified:${key}`, cache, ttl, getFreshValue: () => load(key) }),
      userIn
    }
  })

const makeManaged = (redis: Address, load: Load) =>
  Effect.map(connectKeyv(redis, "managed"), (keyv): Caching => {
    const cache = createManaged({ stores: [keyv], ttl })
    return {
      name: managed,
      oneLoadFor: "a process",
      fetch: (key) => cache.wrap(key, () => load(key)),
      userIn
    }
  })

/** A store, not a cache: nobody waits for what another loads. */
const makeKeyv = (redis: Address, load: Load) =>
  Effect.map(connectKeyv(redis, "keyv"), (keyv): Caching => ({
    name: keyvs,
    oneLoadFor: "a caller",
    fetch: async (key) => {
      const found = await keyv.get<User>(key)
      if (found !== undefined) return found
      const user = await load(key)
      await keyv.set(key, user, ttl)
      return user
    },
    userIn
  }))

/** With plain JSON, as its README allows: its own would look for buffers in every string. */
const connectKeyv = ({ url }: Address, namespace: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const keyv: Keyv = createKeyv(url, { namespace, throwOnErrors: true })
      keyv.serialize = JSON.stringify
      keyv.deserialize = JSON.parse
      // Connects: its first callers would each try to.
      await keyv.get("nobody")
      return keyv
    }),
    (keyv) => Effect.promise(() => keyv.disconnect())
  )

const fillAll = (store: (user: User) => Promise<unknown>) =>
  Effect.promise(() => Promise.all(users.map(store)))
