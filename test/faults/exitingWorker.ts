/** Starts a process, and exits without closing its scope. */
import * as Effect from "effect/Effect"
import { FaultProcess } from "effect-larder/testing"
import { serve } from "../servers/serve.js"

const makeHandlers = Effect.map(
  FaultProcess.make({
    file: process.execPath,
    args: ["-e", "setInterval(() => {}, 1_000)"],
    ready: () => Effect.void
  }),
  ({ pid }) => ({
    pid: () => pid,
    exit: (): Promise<void> => process.exit()
  })
)

export type ExitingHandlers = Effect.Effect.Success<typeof makeHandlers>

serve(makeHandlers)
