/** A hit in Redis from outside Effect: a `runPromise` a lookup, as a web server would. */
import * as Effect from "effect/Effect"
import { inOneTick, inTicksOfTheirOwn, warmUp } from "../crowds.js"
import { ours } from "../figures.js"
import { interleave, type Peer } from "../harness.js"
import { overRedis } from "../overRedis.js"
import * as RedisPeers from "../redisPeers.js"
import { report } from "../report.js"
import { sumOfIds, type User } from "../users.js"

const ways = [
  { way: inOneTick, title: (callers: string) => `${callers} calls of one tick` },
  { way: inTicksOfTheirOwn, title: (callers: string) => `${callers} calls, each of its own tick` }
]

const crowds = [
  { callers: 10, lookups: 2_000 },
  { callers: 100, lookups: 5_000 },
  { callers: 1_000, lookups: 5_000 }
]

export const redisRunPromise = overRedis("Redis hit through runPromise", (redis, isQuick) =>
  Effect.gen(function* () {
    const { lookup, others, runtime } = yield* RedisPeers.make(redis)
    const ourFetching: RedisPeers.Fetching = {
      name: ours,
      fetch: (key) => runtime.runPromise(lookup(key)),
      userIn: (found) => found as User
    }
    const all = [ourFetching, ...others]
    const turnsOf = (way: typeof inOneTick, callers: number) =>
      all.map((fetching) => ({ name: fetching.name, turn: way(callers)(fetching) }))
    yield* Effect.promise(() => warmUp(20_000, turnsOf(inOneTick, 100)))
    yield* Effect.promise(() => warmUp(10_000, turnsOf(inTicksOfTheirOwn, 10)))
    const configurations = ways.flatMap((way) => crowds.map((crowd) => ({ ...way, ...crowd })))
    return yield* Effect.forEach(configurations, ({ callers, lookups, title, way }) =>
      Effect.promise(async () => {
        const full = `Redis hit through runPromise, ${title(callers.toLocaleString("en"))}`
        const peers = turnsOf(way, callers).map((peer): Peer => ({
          ops: lookups,
          expected: sumOfIds,
          ...peer
        }))
        const method = isQuick ? { warmups: 1, rounds: 3 } : { warmups: 3, rounds: 15 }
        const turns = await interleave(full, peers, { ...method, isCollectedFirst: false })
        return report(full, turns, [], { withCpu: true })
      })
    )
  })
)
