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
import { ours, type Report } from "../figures.js"
import { announce, collect, progress, quantile } from "../harness.js"
import { overRedis } from "../overRedis.js"
import { asEnvironment } from "../workers/settings.js"
import type { Arrivals, Question, WakeUpHandlers } from "../workers/wakeUp.js"

const title = "Wake-up of those who wait in other processes"
const byHand = "PUBLISH → GET by hand"

const processes = 4
const clients = 5
const waiters = processes * clients - 1

/** How long it takes to make what they wait for, in milliseconds; and to warm up. */
const creation = 100
const shortCreation = 10

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
      yield* Effect.forEach(all, (process) => process.ask("warmUp", isQuick ? 400 : 2_000), {
        concurrency: "unbounded"
      })
      const warmups = isQuick ? 40 : 500
      const rounds = Math.ceil((isQuick ? 200 : 1_000) / waiters)
      const trials = { ours: Array<Trial>(), byHand: Array<Trial>() }
      // What other cases have left here would be collected while others wake up.
      collect?.()
      announce(title)
      for (let round = -warmups; round < rounds; round++) {
        progress(round < 0 ? `${title}: warm-up` : `${title}: round ${round + 1} of ${rounds}`)
        const trial = yield* takeTurns(all, round)
        if (round < 0) continue
        trials.ours.push(trial.ours)
        trials.byHand.push(trial.byHand)
      }
      progress("")
      const commands = yield* commandsOfWaiters(redis, all)
      return [
        reportOf(outcomeOf(trials.ours), outcomeOf(trials.byHand), rounds * waiters, commands)
      ]
    }),
  { isPinned: false }
)

const start = ({ url }: RedisServer) =>
  startWorker<WakeUpHandlers>(new URL("../workers/wakeUp.ts", import.meta.url), {
    env: asEnvironment({ url, clients })
  })

/** A key, and all who waited for it. */
interface Trial {
  /** Milliseconds from the maker's knowing to each waiter's having. */
  readonly delays: ReadonlyArray<number>
  /** Microseconds that a process was busy, for each client. */
  readonly busy: ReadonlyArray<number>
}

const askAll = <E>(
  all: ReadonlyArray<Process>,
  question: (process: Process, index: number) => Effect.Effect<Arrivals, E>
): Effect.Effect<Trial, E> =>
  Effect.map(Effect.forEach(all, question, { concurrency: "unbounded" }), trialOf)

const trialOf = (arrivals: ReadonlyArray<Arrivals>): Trial => {
  const makers = arrivals.flatMap(({ made }) => (made === undefined ? [] : [made]))
  const [made] = makers
  if (made === undefined || makers.length > 1) {
    throw new Error(`${makers.length} clients made what one should have made`)
  }
  return {
    delays: arrivals.flatMap(({ woken }) => woken.map((at) => (at - made) / 1_000)),
    busy: arrivals.map((here) => here.busy)
  }
}

const askOurs = (all: ReadonlyArray<Process>, question: Question) =>
  askAll(all, (process) => process.ask("ours", question))

/** Both, now the one first and now the other; by hand each process makes it in its turn. */
const takeTurns = (all: ReadonlyArray<Process>, round: number) => {
  const making = round < 0 ? shortCreation : creation
  const both = {
    ours: askOurs(all, { key: `round ${round}`, creation: making }),
    byHand: askAll(all, (process, index) =>
      process.ask("byHand", {
        key: `by hand ${round}`,
        creation: making,
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
        yield* askOurs(all, { key, creation })
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

const outcomeOf = (trials: ReadonlyArray<Trial>): Trial => ({
  delays: trials.flatMap(({ delays }) => delays),
  busy: trials.flatMap(({ busy }) => busy)
})

const reportOf = (
  ofOurs: Trial,
  ofByHand: Trial,
  wakes: number,
  commands: ReadonlyArray<number>
): Report => {
  const later = quantile(ofOurs.delays, 0.99) - quantile(ofByHand.delays, 0.99)
  const most = Math.max(...commands)
  const row = (name: string, { busy, delays }: Trial) => [
    name,
    String(delays.length),
    ...[0.5, 0.99, 1].map((share) => quantile(delays, share)),
    quantile(busy, 0.5)
  ]
  return {
    title: `${title}: ${processes * clients} clients in ${processes} processes`,
    columns: ["", "wakes", "p50 (ms)", "p99 (ms)", "longest (ms)", "CPU of a client (µs)"],
    rows: [row(ours, ofOurs), row(byHand, ofByHand)],
    charted: ["p50 (ms)", "p99 (ms)"],
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
        figure: `${ofOurs.delays.length} and ${ofByHand.delays.length} of ${wakes}`,
        isMet: Math.min(ofOurs.delays.length, ofByHand.delays.length) >= 0.99 * wakes
      }
    ]
  }
}
