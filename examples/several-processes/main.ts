// Three processes that share a cache in Redis: the one at REDIS_URL, or on this machine.
import { Command } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Schema } from "effect"
import { Cache } from "effect-larder"
import { RedisCacheLive } from "effect-larder/redis"
import { fileURLToPath } from "node:url"

const Output = Schema.parseJson(Schema.Struct({ answers: Schema.Number, loads: Schema.Number }))

const file = fileURLToPath(new URL("worker.ts", import.meta.url))
const worker = Command.make(process.execPath, ...process.execArgv, file).pipe(
  Command.lines,
  // The last one: without a Redis there are warnings above it.
  Effect.flatMap((lines) => Schema.decode(Output)(lines.at(-1) ?? ""))
)

const program = Effect.gen(function* () {
  yield* Cache.invalidate("report")
  const outputs = yield* Effect.all([worker, worker, worker], { concurrency: "unbounded" })
  for (const { answers } of outputs) yield* Console.log(`a process: ${answers} answers`)
  const loads = outputs.reduce((sum, output) => sum + output.loads, 0)
  yield* Console.log(`loads, all together: ${loads}`)
  const wasThere = yield* Cache.invalidate("report")
  yield* Console.log(`invalidated for all of them: ${wasThere}`)
})

program.pipe(Effect.provide([RedisCacheLive, NodeContext.layer]), NodeRuntime.runMain)
