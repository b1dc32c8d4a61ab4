/** Callers in several processes ask at once for what is not in Redis: how often is it made? */
import * as Effect from "effect/Effect"
import { startWorker } from "../../test/servers/worker.js"
import { ours, type Report } from "../figures.js"
import { announce, collect, progress, quantile, rotated } from "../harness.js"
import { overRedis } from "../overRedis.js"
import * as RedisPeers from "../redisPeers.js"
import { asEnvironment } from "../workers/settings.js"
import type { Outcome, StampedeHandlers } from "../workers/stampede.js"

const processes = 4
const callers = 250
const title = `${(processes * callers).toLocaleString("en")} callers in ${processes} processes on one cold key`

/** How long it takes to make what they want, in milliseconds; and to warm up. */
const creation = 50
const shortCreation = 5

const peers = [
  ours,
  RedisPeers.dedupes,
  RedisPeers.bentosOnRedis,
  RedisPeers.cachifieds,
  RedisPeers.managed,
  RedisPeers.keyvs
]

export const redisStampede = overRedis(
  title,
  (redis, isQuick) =>
    Effect.gen(function* () {
      const worker = startWorker<StampedeHandlers>(
        new URL("../workers/stampede.ts", import.meta.url),
        { env: asEnvironment({ url: redis.url, clients: 1 }) }
      )
      const all = yield* Effect.replicateEffect(worker, processes, { concurrency: "unbounded" })
      const outcomes = new Map<string, Array<Outcome>>(peers.map((peer) => [peer, []]))
      const warmups = isQuick ? 10 : 40
      const rounds = isQuick ? 4 : 15
      collect?.()
      announce(title)
      for (let round = -warmups; round < rounds; round++) {
        progress(round < 0 ? `${title}: warm-up` : `${title}: round ${round + 1} of ${rounds}`)
        const making = round < 0 ? shortCreation : creation
        for (const peer of rotated(peers, round + warmups)) {
          const question = { peer, key: `round ${round}`, callers, creation: making }
          const answers = yield* Effect.forEach(all, (process) => process.ask("ask", question), {
            concurrency: "unbounded"
          })
          if (round >= 0) outcomes.get(peer)?.push(together(answers))
        }
      }
      progress("")
      return [reportOf(outcomes)]
    }),
  { isPinned: false }
)

const together = (answers: ReadonlyArray<Outcome>): Outcome => ({
  loads: answers.reduce((sum, { loads }) => sum + loads, 0),
  took: Math.max(...answers.map(({ took }) => took))
})

const reportOf = (outcomes: ReadonlyMap<string, ReadonlyArray<Outcome>>): Report => {
  const loads = (peer: string) => (outcomes.get(peer) ?? []).map((outcome) => outcome.loads)
  const took = (peer: string) => (outcomes.get(peer) ?? []).map((outcome) => outcome.took)
  const most = Math.max(...loads(ours))
  return {
    title,
    columns: ["", "loads", "most loads", "all have it after (ms)"],
    rows: peers.map((peer) => [
      peer,
      quantile(loads(peer), 0.5),
      Math.max(...loads(peer)),
      quantile(took(peer), 0.5)
    ]),
    charted: ["loads", "all have it after (ms)"],
    targets: [{ what: "one load in all processes", figure: `at most ${most}`, isMet: most === 1 }]
  }
}
