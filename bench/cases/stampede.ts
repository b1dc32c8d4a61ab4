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

/** Ends when all have joined: a timer's turn comes after all that is ready to run. */
const creator = Effect.async<number>((resume) => {
  setImmediate(() => resume(Effect.succeed(1)))
})
const promised = (): Promise<number> => new Promise((resolve) => setImmediate(() => resolve(1)))

export const stampede: Case = async (isQuick) => {
  let coldKeys = 0
  const cold = (): string => `user:${coldKeys++}`

  const runtime = Peers.makeRuntime()
  const effectCache = await Peers.makeEffectCache(() => creator)
  const bento = Peers.makeBento()
  const lru = Peers.makeLru(promised)

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
    { name: Peers.ours, turn: inFibers((key) => Cache.getOrCreate(key, creator)) },
    { name: Peers.effects, turn: inFibers((key) => effectCache.get(key)) },
    { name: Peers.bareDeferred, turn: inFibers(byHand()) },
    {
      name: Peers.bentos,
      turn: inPromises((key) => bento.getOrSet({ key, factory: promised }))
    },
    { name: Peers.lruFetch, turn: inPromises((key) => lru.fetch(key)) }
  ].map((peer) => ({ ops: stampedes, expected: (ops) => ops * callers, ...peer }))

  const turns = await interleave(
    title,
    peers,
    isQuick ? { warmups: 2, rounds: 6 } : { warmups: 5, rounds: 30 }
  )
  const { coalesced, loads } = await runtime.runPromise(Cache.counters)
  await runtime.dispose()
  await bento.disconnectAll()
  return report(title, turns, [
    atMost(turns, Peers.effects, 1.1),
    {
      what: "one load a stampede, shared by all others",
      figure: `${(coalesced / loads).toFixed(0)} others a load`,
      isMet: coalesced === loads * (callers - 1)
    }
  ])
}

const total = (values: ReadonlyArray<number | undefined>): number =>
  values.reduce<number>((sum, value) => sum + (value ?? NaN), 0)

/** The floor: the first opens a `Deferred`, the others wait for it, nobody may leave. */
const byHand = () => {
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
