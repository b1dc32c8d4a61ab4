/** What stands between a process and its server: faults happen here, and commands are seen here. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FaultProxy } from "effect-larder/testing"
import { machineMillis } from "./machineMillis.js"

export interface Wire extends FaultProxy.Service {
  /** What came in lately, oldest first. */
  readonly seen: ReadonlyArray<Seen>
}

/** A command, as it came. */
export interface Seen {
  readonly at: number
  readonly command: ReadonlyArray<string>
}

/** How often it is looked what has come: so exact are the times. */
const every = "5 millis"
/** So much is remembered: some minutes. */
const most = 100_000

export const startWire = (server: {
  readonly host: string
  readonly port: number
}): Effect.Effect<Wire, never, Scope.Scope> =>
  Effect.gen(function* () {
    const proxy = yield* FaultProxy.make(server)
    const seen: Array<Seen> = []
    const look = Effect.gen(function* () {
      const at = machineMillis()
      for (const command of yield* proxy.commands) seen.push({ at, command })
      yield* proxy.forgetCommands
      if (seen.length > most) seen.splice(0, most / 2)
    })
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(look, Effect.sleep(every))))
    return { ...proxy, seen }
  })
