/** A call through a circuit breaker that is closed, beside the same call without one. */
import * as Effect from "effect/Effect"
import { CircuitBreaker } from "effect-larder"
import { duration } from "../figures.js"
import { interleave, type Peer, quantile } from "../harness.js"
import { inOneFiber, sumOf, valueOf } from "../loops.js"
import * as Peers from "../peers.js"
import { type Case, report } from "../report.js"

const title = "A call through a closed circuit breaker"

const bare = "the bare effect"
const limit = 1_000

const ops = 100_000
const keyAt = (index: number): string => `call:${index % 1_024}`
const call = (key: string) => Effect.sync(() => valueOf(key))

export const circuitBreaker: Case = async (isQuick) => {
  const runtime = Peers.makeRuntime()
  const { execute } = await runtime.runPromise(CircuitBreaker.make())
  const inFiber = inOneFiber(runtime, keyAt)
  const peers: ReadonlyArray<Peer> = [
    { name: Peers.ours, turn: inFiber((key) => execute(call(key))) },
    { name: bare, turn: inFiber(call) }
  ].map((peer) => ({ ops, expected: sumOf(keyAt), ...peer }))

  const turns = await interleave(title, peers, {
    ...(isQuick ? { warmups: 2, rounds: 8 } : { warmups: 3, rounds: 30 }),
    isCollectedFirst: false
  })
  await runtime.dispose()
  const added = (turns.get(Peers.ours) ?? []).map(
    ({ time }, round) => time - (turns.get(bare)?.[round]?.time ?? NaN)
  )
  const median = quantile(added, 0.5)
  return report(title, turns, [
    {
      what: `at most ${duration(limit)} more than ${bare}`,
      figure: duration(median),
      isMet: median <= limit
    }
  ])
}
