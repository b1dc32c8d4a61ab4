/** A hit from outside Effect: a `runPromise` a lookup. */
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import { interleave, type Peer } from "../harness.js"
import { awaited, sumOf, valueOf } from "../loops.js"
import * as Peers from "../peers.js"
import { type Case, report } from "../report.js"

const title = "Memory hit through runPromise"

const keys = Array.from({ length: 1_024 }, (_, index) => `user:${index}`)
const keyAt = (index: number): string => keys[index % keys.length] ?? ""

export const runPromise: Case = async (isQuick) => {
  const runtime = Peers.makeRuntime()
  const effectCache = await Peers.makeEffectCache((key) => Effect.sync(() => valueOf(key)))
  const bento = Peers.makeBento()
  const lru = Peers.makeLru(valueOf)

  const promised = awaited(keyAt)
  const run = (lookup: (key: string) => Effect.Effect<number, never, Cache>) =>
    promised((key) => runtime.runPromise(lookup(key)))
  const peers: ReadonlyArray<Peer> = [
    {
      name: Peers.ours,
      turn: run((key) =>
        Cache.getOrCreate(
          key,
          Effect.sync(() => valueOf(key))
        )
      )
    },
    { name: Peers.effects, turn: run((key) => effectCache.get(key)) },
    { name: Peers.bareEffect, turn: run((key) => Effect.sync(() => lru.get(key) ?? NaN)) },
    {
      name: Peers.bentos,
      turn: promised((key) => bento.getOrSet({ key, factory: () => valueOf(key) }))
    },
    ...Peers.makePromising(() => valueOf).map(({ getOrCreate, name }) => ({
      name,
      turn: promised(getOrCreate)
    })),
    { name: Peers.lruFetch, turn: promised((key) => lru.fetch(key)) }
  ].map((peer) => ({ ops: 10_000, expected: sumOf(keyAt), ...peer }))

  for (const key of keys) lru.set(key, valueOf(key))
  const turns = await interleave(
    title,
    peers,
    isQuick ? { warmups: 2, rounds: 8 } : { warmups: 3, rounds: 30 }
  )
  await runtime.dispose()
  await bento.disconnectAll()
  return report(title, turns, [])
}
