/** One of the processes of `cases/redisWakeUp.ts`: some clients, each with connections of its own. */
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import type { Redis } from "ioredis"
import { setTimeout } from "node:timers/promises"
import { serve } from "../../test/servers/serve.js"
import * as Clients from "../redisClients.js"
import { type User, users } from "../users.js"
import { readSettings, type Settings } from "./settings.js"

/** What happened here, in microseconds of the machine's clock. */
export interface Arrivals {
  /** When the maker knew that the value was stored, if the maker was here. */
  readonly made: number | undefined
  /** When each of those who waited had it. Who came too late to wait is left out. */
  readonly woken: ReadonlyArray<number>
  /** How long this process was busy, from the question to the last answer, for each client. */
  readonly busy: number
}

export interface Question {
  readonly key: string
  /** How long it takes to make the value, in milliseconds. */
  readonly creation: number
}

const user = users[0] as User

// The same clock in all processes: CLOCK_MONOTONIC on Linux, the like elsewhere.
const microseconds = (): number => Number(process.hrtime.bigint() / 1_000n)

const arrivals = async (
  { creation }: Question,
  answers: () => ReadonlyArray<Promise<Result>>
): Promise<Arrivals> => {
  const before = process.cpuUsage()
  const results = await Promise.all(answers())
  const { system, user } = process.cpuUsage(before)
  // The one who asks is busy with each answer, on the cores of those who still wake up.
  await setTimeout(creation / 5)
  return {
    made: results.find(({ role }) => role === "maker")?.at,
    woken: results.filter(({ role }) => role === "waiter").map(({ at }) => at),
    busy: (system + user) / results.length
  }
}

interface Result {
  readonly role: "maker" | "waiter" | "late"
  readonly at: number
}

/** A cache, and a caller of it. */
const makeCaller = (settings: Settings) =>
  Effect.map(
    Clients.makeRuntime(settings),
    (runtime) =>
      ({ creation, key }: Question): Promise<Result> => {
        const waits = Effect.map(Cache.counters, (counters) => counters.waits)
        return runtime.runPromise(
          Effect.gen(function* () {
            let isMaker = false
            const before = yield* waits
            const create = Effect.sync(() => {
              isMaker = true
              return user
            })
            yield* Cache.getOrCreate(key, Effect.delay(create, creation))
            const at = microseconds()
            const hasWaited = (yield* waits) > before
            return { role: isMaker ? "maker" : hasWaited ? "waiter" : "late", at }
          })
        )
      }
  )

const channel = "by hand"

/** PUBLISH → GET: the least that a waiter can do. */
const makeByHand = (settings: Settings) =>
  Effect.gen(function* () {
    const commands = yield* Clients.connect(settings)
    const subscriber = yield* Clients.connect(settings)
    const waiting = new Map<string, () => void>()
    const heard = new Set<string>()
    subscriber.on("message", (_channel: string, key: string) => {
      heard.add(key)
      waiting.get(key)?.()
    })
    yield* Effect.promise(() => subscriber.subscribe(channel))
    return {
      make: (question: Question) => publish(commands, question),
      wait: async ({ key }: Question): Promise<Result> => {
        const isLate = heard.has(key)
        if (!isLate) await new Promise<void>((resolve) => waiting.set(key, resolve))
        waiting.delete(key)
        JSON.parse((await commands.get(key)) ?? "")
        return { role: isLate ? "late" : "waiter", at: microseconds() }
      }
    }
  })

const publish = async (commands: Redis, { creation, key }: Question): Promise<Result> => {
  await setTimeout(creation)
  await commands
    .pipeline()
    .set(key, JSON.stringify(user), "PX", Clients.ttl)
    .publish(channel, key)
    .exec()
  return { role: "maker", at: microseconds() }
}

const make = Effect.gen(function* () {
  const settings = readSettings()
  const callers = yield* Effect.replicateEffect(makeCaller(settings), settings.clients)
  const byHand = yield* Effect.replicateEffect(makeByHand(settings), settings.clients)
  return {
    /** Makes a server of it that has run for a while: half of the lookups are misses, half hits. */
    warmUp: async (lookups: number): Promise<void> => {
      for (let lookup = 0; lookup < lookups; lookup++) {
        const key = `${process.pid} ${lookup >> 1}`
        const asked = callers.map((caller, index) =>
          caller({ key: `${key} ${index}`, creation: 0 })
        )
        await Promise.all([...asked, byHand[0]?.make({ key, creation: 0 })])
      }
    },
    /** All clients ask for the key; one of all processes makes it. */
    ours: (question: Question) =>
      arrivals(question, () => callers.map((caller) => caller(question))),
    /** All clients wait for the key, but for the one that makes it if that is to be here. */
    byHand: ({ isMaker, ...question }: Question & { readonly isMaker: boolean }) =>
      arrivals(question, () =>
        byHand.map((client, index) =>
          isMaker && index === 0 ? client.make(question) : client.wait(question)
        )
      )
  }
})

export type WakeUpHandlers = Effect.Effect.Success<typeof make>

serve(make)
