/** A million keys, each once, through 10,000 entries: what stays behind? */
import * as Effect from "effect/Effect"
import { Cache } from "effect-larder"
import { bytes } from "../figures.js"
import { collect, growth, interleave, type Peer } from "../harness.js"
import { awaited, inOneFiber, valueOf } from "../loops.js"
import * as Peers from "../peers.js"
import { type Case, report } from "../report.js"

const rounds = 10
/** More than 1 byte a key and it would grow; an entry left behind takes 100 and more. */
const flat = 1_048_576

export const millionKeys: Case = async (isQuick) => {
  const keysOfTurn = isQuick ? 10_000 : 100_000
  const title = `${(rounds * keysOfTurn).toLocaleString("en")} keys through 10,000 entries`

  const runtime = Peers.makeRuntime()
  const effectCache = await Peers.makeEffectCache((key) => Effect.sync(() => valueOf(key)))
  const bento = Peers.makeBento()
  const lru = Peers.makeLru(valueOf)

  let turn = 0
  // Seven digits, so that all keys are as long as each other.
  const keyAt = (index: number): string => `user:${1_000_000 + turn * keysOfTurn + index}`
  const inFiber = inOneFiber(runtime, keyAt)
  const promised = awaited(keyAt)
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
    {
      name: Peers.bentos,
      ops: keysOfTurn / 10,
      turn: promised((key) => bento.getOrSet({ key, factory: () => valueOf(key) }))
    },
    { name: Peers.lruFetch, turn: promised((key) => lru.fetch(key)) }
  ].map((peer) => ({
    ops: keysOfTurn,
    expected: (ops: number) => ops * "user:1000000".length,
    prepare: () => {
      turn++
    },
    ...peer
  }))

  // The warm-up fills the caches: growth is counted from there.
  const turns = await interleave(title, peers, { warmups: 2, rounds, withHeap: true })
  const { evictions, loads, size } = await runtime.runPromise(Cache.stats)
  await runtime.dispose()
  await bento.disconnectAll()
  const grown = growth(turns, Peers.ours)
  return report(
    title,
    turns,
    [
      {
        what: `heap flat: at most ${bytes(flat)} once the cache is full`,
        figure: collect === undefined ? "not measured: no gc" : bytes(grown),
        isMet: grown <= flat
      },
      {
        what: "what is not in the cache is nowhere",
        figure: `${size} entries, ${evictions} of ${loads} evicted`,
        isMet: size <= Peers.capacity && size + evictions === loads
      }
    ],
    { withHeap: collect !== undefined }
  )
}
