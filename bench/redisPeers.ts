/**
 * Who is compared over Redis: each with a connection of its own, all else as it
 * comes, and entries that live an hour.
 */
import { createCache } from "async-cache-dedupe"
import { BentoCache, bentostore } from "bentocache"
import { redisDriver } from "bentocache/drivers/redis"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Cache } from "effect-larder"
import type { RedisOptions } from "ioredis"
import type { Address } from "../test/servers/redis.js"
import { connect, makeRuntime, type RedisRuntime, ttl } from "./redisClients.js"
import { keyOf, type User, userOf, users } from "./users.js"

export const bare = "ioredis GET + JSON.parse"
const autoPipelining = "ioredis, auto-pipelining"
export const dedupes = "async-cache-dedupe on Redis"
export const bentosOnRedis = "bentocache, L2 only"

/** A peer that promises: what it fetches, and the user that is in it. */
export interface Fetching {
  readonly name: string
  readonly fetch: (key: string) => Promise<unknown>
  /** Apart, so that a loop need not await a promise around a promise. */
  readonly userIn: (fetched: unknown) => User
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
    return {
      runtime,
      lookup,
      others: [
        yield* makeBare(bare, redis),
        yield* makeBare(autoPipelining, redis, { enableAutoPipelining: true }),
        yield* makeDedupe(redis),
        yield* makeBento(redis)
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

/**
 * Without `stale` and `invalidation`, which are off as it comes and cost more
 * commands. It shares what is under way for a key with all who ask meanwhile;
 * here nobody asks for the same key, so that this does nothing for it.
 */
const makeDedupe = (redis: Address) =>
  Effect.gen(function* () {
    const client = yield* connect(redis)
    let load: (key: string) => User = userOf
    const cache = createCache({ ttl: ttl / 1_000, storage: { type: "redis", options: { client } } })
    const { user } = cache.define("user", async (key: string) => load(key))
    yield* fillAll((it) => user(keyOf(it)))
    load = nobody
    const fetching: Fetching = { name: dedupes, fetch: user, userIn: (found) => found as User }
    return fetching
  })

const makeBento = (redis: Address) =>
  Effect.gen(function* () {
    const connection = yield* connect(redis)
    const cache = new BentoCache({
      default: "redis",
      ttl,
      stores: { redis: bentostore().useL2Layer(redisDriver({ connection })) }
    })
    yield* fillAll((user) => cache.set({ key: keyOf(user), value: user }))
    const fetching: Fetching = {
      name: bentosOnRedis,
      fetch: (key) => cache.getOrSet({ key, factory: nobody }),
      userIn: (found) => found as User
    }
    return fetching
  })

const fillAll = (store: (user: User) => Promise<unknown>) =>
  Effect.promise(() => Promise.all(users.map(store)))
