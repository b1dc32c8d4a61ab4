/** One of the processes of `cases/redisStampede.ts`: every peer, with one client each. */
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import { setTimeout } from "node:timers/promises"
import { serve } from "../../test/servers/serve.js"
import { ours } from "../figures.js"
import * as Clients from "../redisClients.js"
import * as RedisPeers from "../redisPeers.js"
import { type User, users } from "../users.js"
import { readSettings } from "./settings.js"

export interface Question {
  readonly peer: string
  readonly key: string
  readonly callers: number
  /** How long it takes to make the value, in milliseconds. */
  readonly creation: number
}

export interface Outcome {
  /** How often the value was made here. */
  readonly loads: number
  /** How long it took until the last caller here had it, in milliseconds. */
  readonly took: number
}

const user = users[0] as User

const make = Effect.gen(function* () {
  const settings = readSettings()
  const runtime = yield* Clients.makeRuntime(settings)
  let creation = 0
  let loads = 0
  const load = async (): Promise<User> => {
    loads++
    await setTimeout(creation)
    return user
  }
  const caches = yield* RedisPeers.makeCaches(settings, () => load)

  const indices = (callers: number) => Array.from({ length: callers }, (_, index) => index)
  const inFibers = (key: string, callers: number): Promise<ReadonlyArray<User>> => {
    const lookup = Cache.getOrCreate(key, Effect.promise(load))
    const all = Effect.forEach(indices(callers), () => lookup, { concurrency: "unbounded" })
    return runtime.runPromise(all)
  }
  const inPromises = async (peer: string, key: string, callers: number) => {
    const cache = caches.find(({ name }) => name === peer)
    if (cache === undefined) throw new Error(`there is no ${peer}`)
    const found = await Promise.all(indices(callers).map(() => cache.fetch(key)))
    return found.map(cache.userIn)
  }

  return {
    /** So many ask at once, and no other question is asked meanwhile. */
    ask: async ({ callers, key, peer, ...question }: Question): Promise<Outcome> => {
      creation = question.creation
      loads = 0
      const start = performance.now()
      const found = await (peer === ours ? inFibers(key, callers) : inPromises(peer, key, callers))
      const took = performance.now() - start
      if (found.some(({ id }) => id !== user.id)) throw new Error(`${peer} gave another user`)
      return { loads, took }
    }
  }
})

export type StampedeHandlers = Effect.Effect.Success<typeof make>

serve(make)
