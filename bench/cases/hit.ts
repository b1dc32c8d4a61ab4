/** A hit in one fiber: a loop that asks for what is there. */
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import { interleave, type Peer } from "../harness.js"
import { awaited, direct, inOneFiber, sumOf, valueOf } from "../loops.js"
import * as Peers from "../peers.js"
import { atMost, type Case, report, timesAsFast } from "../report.js"

const title = "Memory hit in one fiber"

const ops = 100_000
const keys = Array.from({ length: 1_024 }, (_, index) => `user:${index}`)
const keyAt = (index: number): string => keys[index % keys.length] ?? ""

export const hit: Case = async (isQuick) => {
  const runtime = Peers.makeRuntime()
  const effectCache = await Peers.makeEffectCache((key) => Effect.sync(() => valueOf(key)))
  const bento = Peers.makeBento()
  const byReference = Peers.makeBento({ serialize: false })
  const lru = Peers.makeLru(valueOf)
  const promising = Peers.makePromising(() => valueOf)
  const map = new Map(keys.map((key) => [key, valueOf(key)]))
  for (const key of keys) lru.set(key, valueOf(key))

  const inFiber = inOneFiber(runtime, keyAt)
  const promised = awaited(keyAt)
  const plain = direct(keyAt)
  const peers: ReadonlyArray<Peer> = [
    {
      name: Peers.ours,
      turn: inFiber((key) =>
        Cache.getOrCreate(
          key,
          Effect.sync(() => valueOf(key))
        )
      )
    },
    { name: Peers.effects, turn: inFiber((key) => effectCache.get(key)) },
    { name: Peers.bareEffect, turn: inFiber((key) => Effect.sync(() => lru.get(key) ?? NaN)) },
    {
      name: Peers.bentos,
      ops: 5_000,
      turn: promised((key) => bento.getOrSet({ key, factory: () => valueOf(key) }))
    },
    {
      name: Peers.bentosByReference,
      ops: 5_000,
      turn: promised((key) => byReference.getOrSet({ key, factory: () => valueOf(key) }))
    },
    ...promising.map(({ getOrCreate, name }) => ({
      name,
      ops: 20_000,
      turn: promised(getOrCreate)
    })),
    { name: Peers.lruFetch, turn: promised((key) => lru.fetch(key)) },
    { name: Peers.lruGet, turn: plain((key) => lru.get(key)) },
    { name: Peers.mapGet, turn: plain((key) => map.get(key)) }
  ].map((peer) => ({ ops, expected: sumOf(keyAt), ...peer }))

  const method = {
    ...(isQuick ? { warmups: 2, rounds: 8 } : { warmups: 3, rounds: 30 }),
    isCollectedFirst: false
  }
  const turns = await interleave(title, peers, method)
  const { hits, loads } = await runtime.runPromise(Cache.counters)
  await runtime.dispose()
  await bento.disconnectAll()
  await byReference.disconnectAll()
  return report(title, turns, [
    atMost(turns, Peers.effects, 0.4),
    timesAsFast(turns, Peers.bentos, 12),
    {
      what: "one load a key; all the rest are hits, and counted",
      figure: `${loads} loads, ${hits} hits`,
      isMet: loads === keys.length && hits + loads === (method.warmups + method.rounds) * ops
    }
  ])
}
