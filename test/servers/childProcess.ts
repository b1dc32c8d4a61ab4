/** Processes that this one starts: signalled by their ids, and never outliving it. */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"

const alive = new Set<number>()

// Scopes end them. This is for an exit that leaves no time to close any.
process.on("exit", () => {
  for (const pid of alive) trySignal(pid, "SIGKILL")
})

/** Takes the process down with this one, until the function is called that this gives. */
export const bind = (pid: number): (() => void) => {
  alive.add(pid)
  return () => void alive.delete(pid)
}

export const signal = (pid: number, name: NodeJS.Signals): Effect.Effect<void> =>
  Effect.sync(() => trySignal(pid, name))

/** Stops the process where it is, and waits until it stands still. */
export const pause = (pid: number): Effect.Effect<void> =>
  Effect.zipRight(signal(pid, "SIGSTOP"), standsStill(pid))

export const resume = (pid: number): Effect.Effect<void> => signal(pid, "SIGCONT")

/** One that has ended is signalled in vain. */
const trySignal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}

// The signal is only queued when kill(2) returns: on another core the process may answer one more
// command. Where there is no /proc, that is left to chance.
const standsStill = (pid: number): Effect.Effect<void> =>
  Effect.repeat(Effect.yieldNow(), { until: () => !/\) [RSD] /.test(stateOf(pid)) })

const stateOf = (pid: number): string => {
  try {
    return Fs.readFileSync(`/proc/${pid}/stat`, "latin1")
  } catch {
    return ""
  }
}
