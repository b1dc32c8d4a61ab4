/**
 * How soon those who wait for another process's creator have its value.
 *
 * From when the maker knows that it is stored. Of ours that is when its own
 * caller has it, some 100 µs after the reply to the commit: so much less our
 * times show, which is nothing beside the 5 ms of the target.
 */
import * as Effect from "effect/Effect"
import { monitor, type Overheard, type RedisServer } from "../../test/servers/redis.js"
import { startWorker, type Worker } from "../../test/servers/worker.js"
import { announce, progress, quantile } from "../harness.js"
import { overRedis } from "../overRedis.js"
import { ours } from "../peers.js"
import type { Report } from "../report.js"
import { asEnvironment } from "../workers/settings.js"
import type { Arrivals, WakeUpHandlers } from "../workers/wakeUp.js"

const title = "Wake-up of those who wait in other processes"
const byHand = "PUBLISH → GET by hand"

const processes = 4
const clients = 5
const waiters = processes * clients - 1

/** Milliseconds more than by hand that the slowest percent may take. */
const allowance = 5
/** After its first read: one that asks for the lease, and one that gets the value. */
const mostCommands = 2

type Process = Worker<WakeUpHandlers>

export const redisWakeUp = overRedis(
  title,
  (redis, isQuick) =>
    Effect.gen(function* () {
      const all = yield* Effect.replicateEffect(start(redis), processes, {
        concurrency: "unbounded"
      })
      const warmups = isQuick ? 2 : 5
      const rounds = Math.ceil((isQuick ? 200 : 1_000) / waiters)
      const delays = { ours: Array<number>(), byHand: Array<number>() }
      announce(title)
      for (let round = -warmups; round < rounds; round++) {
        progress(round < 0 ? `${title}: warm-up` : `${title}: round ${round + 1} of ${rounds}`)
        const took = yield* takeTurns(all, round)
        if (round < 0) continue
        delays.ours.push(...took.ours)
        delays.byHand.push(...took.byHand)
      }
      progress("")
      const commands = yield* commandsOfWaiters(redis, all)
      return [reportOf(delays, rounds * waiters, commands)]
    }),
  { isPinned: false }
)

const start = ({ url }: RedisServer) =>
  startWorker<WakeUpHandlers>(new URL("../workers/wakeUp.ts", import.meta.url), {
    env: asEnvironment({ url, clients })
  })

const askAll = <E>(
  all: ReadonlyArray<Process>,
  question: (process: Process, index: number) => Effect.Effect<Arrivals, E>
): Effect.Effect<ReadonlyArray<number>, E> =>
  Effect.map(Effect.forEach(all, question, { concurrency: "unbounded" }), delaysOf)

/** Milliseconds from the maker's knowing to each waiter's having. */
const delaysOf = (arrivals: ReadonlyArray<Arrivals>): ReadonlyArray<number> => {
  const makers = arrivals.flatMap(({ made }) => (made === undefined ? [] : [made]))
  const [made] = makers
  if (made === undefined || makers.length > 1) {
    throw new Error(`${makers.length} clients made what one should have made`)
  }
  return arrivals.flatMap(({ woken }) => woken.map((at) => (at - made) / 1_000))
}

const askOurs = (all: ReadonlyArray<Process>, key: string) =>
  askAll(all, (process) => process.ask("ours", key))

/** Both, now the one first and now the other; by hand each process makes it in its turn. */
const takeTurns = (all: ReadonlyArray<Process>, round: number) => {
  const both = {
    ours: askOurs(all, `round ${round}`),
    byHand: askAll(all, (process, index) =>
      process.ask("byHand", {
        key: `by hand ${round}`,
        isMaker: index === Math.abs(round) % processes
      })
    )
  }
  return round % 2 === 0
    ? Effect.all(both)
    : Effect.map(Effect.all([both.byHand, both.ours]), ([byHand, ours]) => ({ ours, byHand }))
}

/** Of each waiter, how many commands it has sent after its first. Apart: being overheard takes time. */
const commandsOfWaiters = (redis: RedisServer, all: ReadonlyArray<Process>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { clear, overheard } = yield* monitor(redis)
      const counts: Array<number> = []
      for (let round = 0; round < 5; round++) {
        yield* clear
        const key = `overheard ${round}`
        yield* askOurs(all, key)
        counts.push(...afterTheFirst(yield* overheard, key))
      }
      return counts
    })
  )

const afterTheFirst = (all: ReadonlyArray<Overheard>, key: string): ReadonlyArray<number> => {
  const sent = new Map<string, number>()
  for (const { args, isFromLua, line } of all) {
    if (isFromLua || !args.some((arg) => arg.endsWith(`:${key}`))) continue
    const client = /^\[\d+ (\S+)\]/.exec(line)?.[1] ?? ""
    sent.set(client, (sent.get(client) ?? 0) + 1)
  }
  // The maker's are as many: a read, a lease, a commit.
  return [...sent.values()].map((count) => count - 1)
}

interface Delays {
  readonly ours: ReadonlyArray<number>
  readonly byHand: ReadonlyArray<number>
}

const reportOf = (delays: Delays, wakes: number, commands: ReadonlyArray<number>): Report => {
  const later = quantile(delays.ours, 0.99) - quantile(delays.byHand, 0.99)
  const most = Math.max(...commands)
  const row = (name: string, sample: ReadonlyArray<number>) => [
    name,
    String(sample.length),
    ...[0.5, 0.99, 1].map((share) => quantile(sample, share))
  ]
  return {
    title: `${title}: ${processes * clients} clients in ${processes} processes`,
    columns: ["", "wakes", "p50 (ms)", "p99 (ms)", "longest (ms)"],
    rows: [row(ours, delays.ours), row(byHand, delays.byHand)],
    targets: [
      {
        what: `p99 at most ${allowance} ms later than ${byHand}`,
        figure: `${later.toFixed(2)} ms`,
        isMet: later <= allowance
      },
      {
        what: `at most ${mostCommands} commands of a waiter after its first read`,
        figure: `${most} of the ${commands.length} overheard`,
        isMet: most <= mostCommands
      },
      {
        what: "at least 99 % of them were waiting when the value came",
        figure: `${delays.ours.length} and ${delays.byHand.length} of ${wakes}`,
        isMet: Math.min(delays.ours.length, delays.byHand.length) >= 0.99 * wakes
      }
    ]
  }
}
