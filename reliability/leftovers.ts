/** What a process holds on to. */
import * as Effect from "effect/Effect"
import * as Supervisor from "effect/Supervisor"
import * as V8 from "node:v8"
import * as Vm from "node:vm"

export interface Leftovers {
  /** In bytes, after garbage has been collected. */
  readonly heap: number
  readonly fibers: number
  readonly sockets: number
}

V8.setFlagsFromString("--expose-gc")
const collect = Vm.runInNewContext("gc") as () => void

/** Runs something under a supervisor: what is forked in it is counted. */
export const counting = <A, E, R>(
  use: (leftovers: Effect.Effect<Leftovers>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Supervisor.track, (supervisor) => {
    const leftovers = Effect.map(supervisor.value, (fibers) => {
      collect()
      return {
        heap: process.memoryUsage().heapUsed,
        fibers: fibers.length,
        sockets: process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length
      }
    })
    return Effect.supervised(use(leftovers), supervisor)
  })
