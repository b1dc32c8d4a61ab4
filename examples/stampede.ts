// A stampede: in one process, and then in four.
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { oneProcess } from "./stampede/oneProcess.js"
import { severalProcesses } from "./stampede/severalProcesses.js"

oneProcess.pipe(
  Effect.zipRight(Console.log("")),
  Effect.zipRight(severalProcesses),
  // At once: a search for Redis that has been given up may still be under way.
  Effect.zipRight(Effect.sync(() => void process.exit())),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
