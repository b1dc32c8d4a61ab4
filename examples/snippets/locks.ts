import { Effect, Layer, Option } from "effect"
import { DistributedLock } from "effect-larder"
import { RedisClient, RedisLock } from "effect-larder/redis"

declare const sendReport: Effect.Effect<void>
declare const step: Effect.Effect<void>

// #region layer
export const LockLive = RedisLock.layer.pipe(
  Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" }))
)
// #endregion layer

// #region try
/** Nobody waits: while another process is at it, there is nothing to do. */
export const unlessUnderWay = Effect.scoped(
  Effect.flatMap(DistributedLock.tryAcquire("report", { duration: "1 minute" }), (held) =>
    Option.isSome(held) ? sendReport : Effect.void
  )
)
// #endregion try

// #region lost
/** What `withLock` does, by hand: the steps end when the lock is lost. */
export const inSteps = Effect.gen(function* () {
  const held = yield* DistributedLock.acquire("import", { wait: "1 minute" })
  return yield* Effect.raceFirst(Effect.forever(step), held.lost)
}).pipe(Effect.scoped)
// #endregion lost
