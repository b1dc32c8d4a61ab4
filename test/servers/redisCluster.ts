/** A cluster of three masters, with the slots shared out among them. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { ServerMissing } from "./binaries.js"
import { liveClock } from "./liveClock.js"
import { freePort } from "../../src/testing/faults/port.js"
import { startRedis, type RedisServer } from "./redisServer.js"
import { command, type CommandFailed } from "./redisCommands.js"
import { ServerFailed } from "./serverProcess.js"

export interface RedisCluster {
  readonly nodes: ReadonlyArray<RedisServer>
}

/** Takes two seconds: for as long after its start a master's view of a cluster is "down". */
export const startCluster = (): Effect.Effect<
  RedisCluster,
  ServerMissing | ServerFailed | CommandFailed,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const members = yield* Effect.forEach(slots, startMember, { concurrency: "unbounded" })
    for (const { server } of members) {
      for (const { bus, server: other } of members) {
        if (other === server) continue
        yield* command(server, "CLUSTER", "MEET", other.host, other.port, bus)
      }
    }
    const nodes = members.map(({ server }) => server)
    yield* Effect.forEach(nodes, untilUp, { concurrency: "unbounded", discard: true })
    return { nodes }
  }).pipe(liveClock)

const slots = [
  [0, 5460],
  [5461, 10922],
  [10923, 16383]
] as const

const startMember = ([from, to]: (typeof slots)[number], index: number) =>
  Effect.gen(function* () {
    const bus = yield* freePort
    const server = yield* startRedis({
      args: [
        ...["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"],
        ...["--cluster-port", String(bus), "--cluster-node-timeout", "2000"]
      ]
    })
    // Equal epochs would be a conflict, which the nodes take their time to settle.
    yield* command(server, "CLUSTER", "SET-CONFIG-EPOCH", index + 1)
    yield* command(server, "CLUSTER", "ADDSLOTSRANGE", from, to)
    return { bus, server }
  })

const untilUp = (server: RedisServer) =>
  command(server, "CLUSTER", "INFO").pipe(
    Effect.map(String),
    Effect.repeat({
      until: (info) => info.includes("cluster_state:ok") && info.includes("cluster_known_nodes:3"),
      schedule: Schedule.spaced(Duration.millis(20))
    }),
    Effect.timeoutFail({
      duration: Duration.seconds(15),
      onTimeout: () => new ServerFailed({ message: `the cluster of ${server.url} does not form` })
    })
  )
