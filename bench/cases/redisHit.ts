/** A hit in Redis, with nothing in front of it: so many callers at a time, in a loop each. */
import * as Effect from "effect/Effect"
import { inFibers, inLoops, warmUp } from "../crowds.js"
import { ours } from "../figures.js"
import { interleave, type Peer, type Turns } from "../harness.js"
import { overRedis } from "../overRedis.js"
import * as RedisPeers from "../redisPeers.js"
import { report, type Target, timesAsFast } from "../report.js"
import { sumOfIds } from "../users.js"

interface Crowd {
  readonly callers: number
  /** A turn: so many that starting the callers is no part of what is measured. */
  readonly lookups: number
  readonly targets: (turns: Turns) => ReadonlyArray<Target>
}

const crowds: ReadonlyArray<Crowd> = [
  {
    callers: 1,
    lookups: 2_000,
    targets: (turns) => [timesAsFast(turns, RedisPeers.bare, 0.8)]
  },
  {
    callers: 10,
    lookups: 20_000,
    targets: (turns) => [timesAsFast(turns, RedisPeers.bare, 0.6)]
  },
  {
    callers: 100,
    lookups: 30_000,
    targets: (turns) => [
      timesAsFast(turns, RedisPeers.bare, 1.5),
      timesAsFast(turns, RedisPeers.dedupes, 2.5),
      timesAsFast(turns, RedisPeers.bentosOnRedis, 5)
    ]
  },
  { callers: 1_000, lookups: 30_000, targets: () => [] }
]

export const redisHit = overRedis("Redis hit", (redis, isQuick) =>
  Effect.gen(function* () {
    const { lookup, others, runtime } = yield* RedisPeers.make(redis)
    const turnsOf = (callers: number) => [
      { name: ours, turn: inFibers(runtime, callers)(lookup) },
      ...others.map((other) => ({ name: other.name, turn: inLoops(callers)(other) }))
    ]
    yield* Effect.promise(() => warmUp(20_000, turnsOf(100)))
    yield* Effect.promise(() => warmUp(4_000, turnsOf(1)))
    return yield* Effect.forEach(crowds, ({ callers, lookups, targets }) =>
      Effect.promise(async () => {
        const crowd = callers === 1 ? "1 caller" : `${callers.toLocaleString("en")} callers`
        const title = `Redis hit, ${crowd}`
        const peers = turnsOf(callers).map((peer): Peer => ({
          ops: lookups,
          expected: sumOfIds,
          ...peer
        }))
        const method = isQuick ? { warmups: 1, rounds: 4 } : { warmups: 2, rounds: 20 }
        const turns = await interleave(title, peers, { ...method, isCollectedFirst: false })
        return report(title, turns, targets(turns), { withCpu: true })
      })
    )
  })
)
