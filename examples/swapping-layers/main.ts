import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { MemoryCacheLive } from "effect-larder"
import { total } from "./program.js"

total(["apple", "bread", "apple"]).pipe(
  Effect.flatMap((sum) => Console.log(`total: ${sum}`)),
  Effect.provide(MemoryCacheLive),
  NodeRuntime.runMain
)
