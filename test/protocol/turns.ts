/** Waiting for what sockets bring, whatever clock the test has. */
import * as Effect from "effect/Effect"

/** Lets the event loop go round once. */
export const turn: Effect.Effect<void> = Effect.async((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

/** Returns once it is so, however long that takes. */
export const until = (isSo: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (isSo() ? Effect.void : Effect.zipRight(turn, until(isSo))))
