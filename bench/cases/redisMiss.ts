/** A miss in Redis: a key never asked for before, and a creator that costs nothing. */
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import type { Redis } from "ioredis"
import { randomUUID } from "node:crypto"
import { inFibers, inLoops, warmUp } from "../crowds.js"
import { ours, type Sharing } from "../figures.js"
import { interleave, type Peer } from "../harness.js"
import { overRedis } from "../overRedis.js"
import * as Clients from "../redisClients.js"
import * as RedisPeers from "../redisPeers.js"
import { atMost, report } from "../report.js"
import { count, sumOfIds, type User, userOf } from "../users.js"

const byHand = "GET, SET NX PX, SET PX, EVALSHA by hand"

const crowds = [
  { callers: 1, misses: 200 },
  { callers: 50, misses: 2_000 }
]

export const redisMiss = overRedis("Redis miss", (redis, isQuick) =>
  Effect.gen(function* () {
    const runtime = yield* Clients.makeRuntime(redis)
    const connection = yield* Clients.connect(redis)
    const getOrCreate = yield* lockedByHand(connection)
    const caches = yield* RedisPeers.makeCaches(redis, () => userOf)
    const oneLoadFor = new Map<string, Sharing>([
      [ours, "all processes"],
      [byHand, "all processes"],
      ...caches.map((cache) => [cache.name, cache.oneLoadFor] as const)
    ])
    const turnsOf = (callers: number) => [
      {
        name: ours,
        turn: inFibers(runtime, callers)((key) => Cache.getOrCreate(key, load(key)))
      },
      {
        name: byHand,
        turn: inLoops(callers)({
          fetch: (key) => getOrCreate(key, userOf),
          userIn: (found) => found as User
        })
      },
      ...caches.map((cache) => ({ name: cache.name, turn: inLoops(callers)(cache) }))
    ]
    // Scripts stay: they are no keys.
    const prepare = () => connection.flushall()
    const warmUpAnew = (callers: number, misses: number) =>
      Effect.promise(() => prepare().then(() => warmUp(misses, turnsOf(callers))))
    yield* Effect.repeatN(warmUpAnew(50, count), 2)
    yield* warmUpAnew(1, 1_000)
    return yield* Effect.forEach(crowds, ({ callers, misses }) =>
      Effect.promise(async () => {
        const title = `Redis miss, ${callers} ${callers === 1 ? "caller" : "callers"}`
        const peers = turnsOf(callers).map((peer): Peer => ({
          ops: misses,
          prepare,
          expected: sumOfIds,
          ...peer
        }))
        const method = isQuick ? { warmups: 1, rounds: 6 } : { warmups: 4, rounds: 30 }
        const turns = await interleave(title, peers, { ...method, isCollectedFirst: false })
        return report(title, turns, [atMost(turns, byHand, 1)], { withCpu: true, oneLoadFor })
      })
    )
  })
)

const load = (key: string) => Effect.sync(() => userOf(key))

const unlock = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) else return 0 end`

/** The lock that everybody writes: it keeps others away, and nothing more. */
const lockedByHand = (connection: Redis) =>
  Effect.map(
    Effect.promise(() => connection.script("LOAD", unlock)),
    (sha) =>
      async (key: string, create: (key: string) => User): Promise<User> => {
        const found = await connection.get(key)
        if (found !== null) return JSON.parse(found)
        const lock = `lock:${key}`
        const token = randomUUID()
        if ((await connection.set(lock, token, "PX", 5_000, "NX")) === null)
          throw new Error("locked")
        const user = create(key)
        await connection.set(key, JSON.stringify(user), "PX", Clients.ttl)
        await connection.evalsha(String(sha), 1, lock, token)
        return user
      }
  )
