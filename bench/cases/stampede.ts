/** 1,000 fibers ask at once for what is not there. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import { interleave, type Peer } from "../harness.js"
import * as Peers from "../peers.js"
import { atMost, type Case, report } from "../report.js"

const title = "1,000 callers on one cold key"

const callers = 1_000
/** How many cold keys a turn has, one after the other. */
const stampedes = 3

export const stampede: Case = async (isQuick) => {
  let coldKeys = 0
  const cold = (): string => `user:${coldKeys++}`

  const loads = new Map<string, number>()
  const load = (peer: string): void => void loads.set(peer, (loads.get(peer) ?? 0) + 1)
  // Ends when all have joined: a timer's turn comes after all that is ready to run.
  const creator = (peer: string) =>
    Effect.async<number>((resume) => {
      load(peer)
      setImmediate(() => resume(Effect.succeed(1)))
    })
  const promised = (peer: string) => (): Promise<number> => {
    load(peer)
    return new Promise((resolve) => setImmediate(() => resolve(1)))
  }

  const runtime = Peers.makeRuntime()
  const ourCreator = creator(Peers.ours)
  const effectCache = await Peers.makeEffectCache(() => creator(Peers.effects))
  const bento = Peers.makeBento()
  const lru = Peers.makeLru(promised(Peers.lruFetch))

  const inFibers =
    (lookup: (key: string) => Effect.Effect<number, never, Cache>) => (ops: number) =>
      runtime.runPromise(
        Effect.gen(function* () {
          let sum = 0
          for (let index = 0; index < ops; index++) {
            const key = cold()
            const values = yield* Effect.all(
              Array.from({ length: callers }, () => lookup(key)),
              { concurrency: "unbounded" }
            )
            sum += total(values)
          }
          return sum
        })
      )
  const inPromises =
    (lookup: (key: string) => Promise<number | undefined>) => async (ops: number) => {
      let sum = 0
      for (let index = 0; index < ops; index++) {
        const key = cold()
        sum += total(await Promise.all(Array.from({ length: callers }, () => lookup(key))))
      }
      return sum
    }
  const peers: ReadonlyArray<Peer> = [
    { name: Peers.ours, turn: inFibers((key) => Cache.getOrCreate(key, ourCreator)) },
    { name: Peers.effects, turn: inFibers((key) => effectCache.get(key)) },
    { name: Peers.bareDeferred, turn: inFibers(byHand(creator(Peers.bareDeferred))) },
    {
      name: Peers.bentos,
      turn: inPromises((key) => bento.getOrSet({ key, factory: promised(Peers.bentos) }))
    },
    ...Peers.makePromising(promised).map(({ getOrCreate, name }) => ({
      name,
      turn: inPromises(getOrCreate)
    })),
    { name: Peers.lruFetch, turn: inPromises((key) => lru.fetch(key)) }
  ].map((peer) => ({ ops: stampedes, expected: (ops) => ops * callers, ...peer }))

  const method = isQuick ? { warmups: 2, rounds: 6 } : { warmups: 5, rounds: 30 }
  const turns = await interleave(title, peers, method)
  const counters = await runtime.runPromise(Cache.counters)
  await runtime.dispose()
  await bento.disconnectAll()
  const targets = [
    atMost(turns, Peers.effects, 1.1),
    {
      what: "one load a stampede, shared by all others",
      figure: `${(counters.coalesced / counters.loads).toFixed(0)} others a load`,
      isMet: counters.coalesced === counters.loads * (callers - 1)
    }
  ]
  const all = (method.warmups + method.rounds) * stampedes
  return report(title, turns, targets, {
    loads: new Map([...loads].map(([peer, count]) => [peer, count / all]))
  })
}

const total = (values: ReadonlyArray<number | undefined>): number =>
  values.reduce<number>((sum, value) => sum + (value ?? NaN), 0)

/** The floor: the first opens a `Deferred`, the others wait for it, nobody may leave. */
const byHand = (creator: Effect.Effect<number>) => {
  const flights = new Map<string, Deferred.Deferred<number>>()
  return (key: string): Effect.Effect<number> =>
    Effect.suspend(() => {
      const found = flights.get(key)
      if (found !== undefined) return Deferred.await(found)
      return Effect.flatMap(Deferred.make<number>(), (deferred) => {
        flights.set(key, deferred)
        return Effect.tap(creator, (value) => {
          flights.delete(key)
          return Deferred.succeed(deferred, value)
        })
      })
    })
}
