/** Processes that this one starts: signalled by their ids, and never outliving it. */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"

const alive = new Set<number>()

// Scopes end them. This is for an exit that leaves no time to close any.
const killAll = () => {
  for (const pid of alive) signal(pid, "SIGKILL")
}

/** Takes the process down with this one, until the function is called that this gives. */
export const bind = (pid: number): (() => void) => {
  if (alive.size === 0) process.on("exit", killAll)
  alive.add(pid)
  return () => {
    alive.delete(pid)
    if (alive.size === 0) process.off("exit", killAll)
  }
}

/** Signals a process; one that has ended, in vain. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error
  }
}

/**
 * Returns when a process that was stopped stands still. The signal is only queued when kill(2)
 * returns: on another core the process may answer one more command. Where there is no /proc, that
 * is left to chance.
 */
export const standsStill = (pid: number): Effect.Effect<void> =>
  Effect.repeat(Effect.yieldNow(), { until: () => !/\) [RSD] /.test(stateOf(pid)) })

const stateOf = (pid: number): string => {
  try {
    return Fs.readFileSync(`/proc/${pid}/stat`, "latin1")
  } catch {
    return ""
  }
}
