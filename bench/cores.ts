/**
 * A core for the client and one for the server, where the system lets us choose.
 *
 * Left to the scheduler a round trip takes 20 µs when both happen to share a core
 * and 70 to 130 when one has to wake up the other's; which of them it is changes
 * within a run, and with it what share of a lookup the client's own work is. A
 * server is elsewhere: so it is here, too.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"

/** As the kernel writes it: `0-3,6`. */
const allowed: string = (() => {
  try {
    const status = Fs.readFileSync("/proc/self/status", "latin1")
    return /^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? ""
  } catch {
    return ""
  }
})()

const move = (cores: string): boolean =>
  spawnSync("taskset", ["--pid", "--cpu-list", cores, String(process.pid)]).status === 0

const cores = allowed.match(/\d+/g) ?? []

// Nothing moves yet: it is asked whether it could.
const canMove = cores.length > 1 && move(allowed)

const coreOfClient = canMove ? cores[0] : undefined
export const coreOfServer = canMove ? cores.at(-1) : undefined

/**
 * Keeps the main thread on its core until the scope closes; those that collect
 * garbage stay free. What is started meanwhile would begin on that core, too.
 */
export const onCoreOfClient: Effect.Effect<void, never, Scope.Scope> =
  coreOfClient === undefined
    ? Effect.void
    : Effect.acquireRelease(
        Effect.sync(() => void move(coreOfClient)),
        () => Effect.sync(() => void move(allowed))
      )

export const placement: string =
  coreOfClient === undefined
    ? "wherever the scheduler puts them"
    : `client on core ${coreOfClient}, server on core ${coreOfServer}`
