// The last part of the demo by itself: a minute's traffic, live.
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Scope } from "effect"
import { anyRedis } from "./stampede/redis.js"
import { traffic } from "./traffic/traffic.js"

Effect.scope.pipe(
  Effect.flatMap((scope) => traffic(Scope.extend(anyRedis, scope))),
  Effect.scoped,
  Effect.catchTag("NoRedis", ({ message }) => Console.log(message)),
  Effect.zipRight(Effect.sync(() => void process.exit())),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
