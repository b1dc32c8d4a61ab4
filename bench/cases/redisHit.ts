/** A hit in Redis, with nothing in front of it: so many callers at a time, in a loop each. */
import * as Effect from "effect/Effect"
import { inFibers, inLoops } from "../crowds.js"
import { interleave, type Peer, type Turns } from "../harness.js"
import { overRedis } from "../overRedis.js"
import { ours } from "../peers.js"
import * as RedisPeers from "../redisPeers.js"
import { report, type Target, timesAsFast } from "../report.js"
import { sumOfIds } from "../users.js"

interface Crowd {
  readonly callers: number
  readonly lookups: number
  readonly targets: (turns: Turns) => ReadonlyArray<Target>
}

const crowds: ReadonlyArray<Crowd> = [
  {
    callers: 1,
    lookups: 1_000,
    targets: (turns) => [timesAsFast(turns, RedisPeers.bare, 0.8)]
  },
  {
    callers: 10,
    lookups: 4_000,
    targets: (turns) => [timesAsFast(turns, RedisPeers.bare, 0.6)]
  },
  {
    callers: 100,
    lookups: 10_000,
    targets: (turns) => [
      timesAsFast(turns, RedisPeers.bare, 1.5),
      timesAsFast(turns, RedisPeers.dedupes, 2.5),
      timesAsFast(turns, RedisPeers.bentosOnRedis, 5)
    ]
  },
  { callers: 1_000, lookups: 20_000, targets: () => [] }
]

export const redisHit = overRedis("Redis hit", (redis, isQuick) =>
  Effect.gen(function* () {
    const { lookup, others, runtime } = yield* RedisPeers.make(redis)
    return yield* Effect.forEach(crowds, ({ callers, lookups, targets }) =>
      Effect.promise(async () => {
        const title = `Redis hit, ${callers.toLocaleString("en")} ${callers === 1 ? "caller" : "callers"}`
        const inLoop = inLoops(callers)
        const peers: ReadonlyArray<Peer> = [
          { name: ours, turn: inFibers(runtime, callers)(lookup) },
          ...others.map((other) => ({ name: other.name, turn: inLoop(other) }))
        ].map((peer) => ({ ops: lookups, expected: sumOfIds, ...peer }))
        const method = isQuick ? { warmups: 2, rounds: 6 } : { warmups: 4, rounds: 24 }
        const turns = await interleave(title, peers, method)
        return report(title, turns, targets(turns))
      })
    )
  })
)
