/** A miss: a key never asked for before, and a creator that costs nothing. */
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import { interleave, type Peer } from "../harness.js"
import { awaited, direct, inOneFiber, sumOf, valueOf } from "../loops.js"
import * as Peers from "../peers.js"
import { type Case, report } from "../report.js"

const title = "Miss, with a synchronous creator"

// All fit in, and each turn begins with an empty cache.
const keys = Array.from({ length: 5_000 }, (_, index) => `user:${index}`)
const keyAt = (index: number): string => keys[index] ?? ""

export const miss: Case = async (isQuick) => {
  const runtime = Peers.makeRuntime()
  const effectCache = await Peers.makeEffectCache((key) => Effect.sync(() => valueOf(key)))
  const bento = Peers.makeBento()
  const lru = Peers.makeLru(valueOf)
  const map = new Map<string, number>()

  const inFiber = inOneFiber(runtime, keyAt)
  const promised = awaited(keyAt)
  const plain = direct(keyAt)
  const peers: ReadonlyArray<Peer> = [
    {
      name: Peers.ours,
      prepare: () => runtime.runPromise(Cache.clear),
      turn: inFiber((key) =>
        Cache.getOrCreate(
          key,
          Effect.sync(() => valueOf(key))
        )
      )
    },
    {
      name: Peers.effects,
      prepare: () => Effect.runPromise(effectCache.invalidateAll),
      turn: inFiber((key) => effectCache.get(key))
    },
    {
      name: Peers.bareEffect,
      prepare: () => lru.clear(),
      turn: inFiber((key) => Effect.sync(() => lru.get(key) ?? store(lru, key)))
    },
    {
      name: Peers.bentos,
      prepare: () => bento.clear(),
      turn: promised((key) => bento.getOrSet({ key, factory: () => valueOf(key) }))
    },
    ...Peers.makePromising(() => valueOf).map(({ clear, getOrCreate, name }) => ({
      name,
      prepare: clear,
      turn: promised(getOrCreate)
    })),
    { name: Peers.lruFetch, prepare: () => lru.clear(), turn: promised((key) => lru.fetch(key)) },
    {
      name: Peers.lruGet,
      prepare: () => lru.clear(),
      turn: plain((key) => lru.get(key) ?? store(lru, key))
    },
    {
      name: Peers.mapGet,
      prepare: () => map.clear(),
      turn: plain((key) => map.get(key) ?? store(map, key))
    }
  ].map((peer) => ({ ops: keys.length, expected: sumOf(keyAt), ...peer }))

  const turns = await interleave(
    title,
    peers,
    isQuick ? { warmups: 2, rounds: 5 } : { warmups: 5, rounds: 20 }
  )
  await runtime.dispose()
  await bento.disconnectAll()
  return report(title, turns, [])
}

const store = (into: { set: (key: string, value: number) => unknown }, key: string): number => {
  const value = valueOf(key)
  into.set(key, value)
  return value
}
