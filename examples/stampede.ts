// A stampede: in one process, and then in four; then a minute's traffic.
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Scope } from "effect"
import { oneProcess } from "./stampede/oneProcess.js"
import { anyRedis } from "./stampede/redis.js"
import { severalProcesses } from "./stampede/severalProcesses.js"
import { traffic } from "./traffic/traffic.js"

Effect.gen(function* () {
  const scope = yield* Effect.scope
  const oneRedis = yield* Effect.cached(Scope.extend(anyRedis, scope))
  yield* oneProcess
  yield* Console.log("")
  yield* severalProcesses(oneRedis)
  yield* Console.log("")
  yield* traffic(oneRedis)
}).pipe(
  Effect.catchTag("NoRedis", ({ message }) => Console.log(message)),
  Effect.scoped,
  // At once: a search for Redis that has been given up may still be under way.
  Effect.zipRight(Effect.sync(() => void process.exit())),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
