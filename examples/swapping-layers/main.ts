import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { RedisCacheLive } from "effect-larder/redis"
import { total } from "./program.js"

total(["apple", "bread", "apple"]).pipe(
  Effect.flatMap((sum) => Console.log(`total: ${sum}`)),
  Effect.provide(RedisCacheLive),
  NodeRuntime.runMain
)
