/**
 * What is sent to find out whether L2 is back.
 *
 * It is an invalidation of one key that the server has yet to hear of, if there is one,
 * and else the cheapest command there is. A prefix is not cleared by a probe: that is as
 * many commands as the server has keys. It may wait, for what is pending is not read.
 *
 * Of several nodes, or connections, one may be gone and the others answer. What is pending
 * there fails each time, and would keep all of them out of use: after one that failed the
 * probes are reads, each of another key, until the circuit is closed or one of them fails.
 */
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import type { Breaker } from "./breaker.js"
import type { Pending, Unconfirmed } from "./pending.js"

interface Asked {
  readonly breaker: Pick<Breaker, "onTransition">
  readonly pending: Pending
  readonly replay: (unconfirmed: Unconfirmed) => Effect.Effect<unknown, BackendError>
  readonly read: (key: string) => Effect.Effect<unknown, BackendError>
}

export const makeProbe = ({
  breaker,
  pending,
  read,
  replay
}: Asked): Effect.Effect<unknown, BackendError> => {
  let reads = 0
  let carries = true
  breaker.onTransition(({ to }) => {
    if (to === "closed") carries = true
  })
  return Effect.suspend(() => {
    const { singleKey } = pending
    if (singleKey === undefined || !carries) {
      return Effect.tapErrorCause(read(String(reads++)), () => Effect.sync(() => (carries = true)))
    }
    return Effect.tapErrorCause(pending.carry(singleKey, replay(singleKey)), () =>
      Effect.sync(() => {
        carries = false
        pending.postpone(singleKey)
      })
    )
  })
}
