// One of several processes, each with requests of its own, over one database and one Redis.
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Effect, Layer } from "effect"
import { Cache, MemoryCache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { post, serve } from "../../test/servers/serve.js"
import { counted, loadRating } from "./database.js"
import { connect, getOrLoad } from "./naive.js"

/** What the processes are told by `LARDER_DEMO` in the environment, as JSON. */
export interface Surroundings {
  readonly url: string
  readonly prefix: string
  readonly database: string
  readonly leaseMillis: number
}

/** Requests that come at once. */
export interface Crowd {
  readonly protection: "none" | "memory" | "redis"
  readonly product: number
  readonly requests: number
  readonly ttlMillis: number
  readonly queryMillis: number
}

const make = Effect.gen(function* () {
  const { database, leaseMillis, prefix, url }: Surroundings = JSON.parse(
    process.env["LARDER_DEMO"] ?? "{}"
  )
  const redis = yield* connect(url)
  const memoryCache = yield* Layer.build(MemoryCache.layer())
  const redisCache = yield* RedisCache.layer({ prefix, lease: { duration: leaseMillis } }).pipe(
    Layer.provide(RedisClient.layer({ url, commandTimeout: "5 seconds" })),
    Layer.build
  )
  const sql = yield* Layer.build(
    SqliteClient.layer({ filename: database, readonly: true, disableWAL: true })
  )

  const request = ({ product, protection, queryMillis, ttlMillis }: Crowd) => {
    const load = loadRating(product, queryMillis)
    const lookup = Cache.getOrCreate(`rating:${product}`, load, { ttl: ttlMillis })
    const naive = getOrLoad(redis, `${prefix}-naive:${product}`, load, ttlMillis)
    switch (protection) {
      case "none":
        return naive
      case "memory":
        return Effect.provide(lookup, memoryCache)
      case "redis":
        return Effect.provide(lookup, redisCache)
    }
  }

  return {
    crowd: (crowd: Crowd) =>
      counted(Array.from({ length: crowd.requests }, () => request(crowd))).pipe(
        Effect.provide(sql)
      ),
    /** Says when it loads, and goes on loading. */
    hold: ({ product }: { readonly product: number }) =>
      Cache.getOrCreate(`rating:${product}`, Effect.zipRight(post("loading"), Effect.never)).pipe(
        Effect.provide(redisCache)
      ),
    /** How often it has had to wait for another process. */
    waits: () => Effect.map(Effect.provide(Cache.counters, redisCache), ({ waits }) => waits)
  }
})

export type Handlers = Effect.Effect.Success<typeof make>

serve(make)
