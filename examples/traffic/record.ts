// Records the traffic: docs/demo.svg, for the README.
import { FileSystem } from "@effect/platform"
import { NodeContext, NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { fileURLToPath } from "node:url"
import { anyRedis } from "../stampede/redis.js"
import { chart } from "./chart.js"
import { minute } from "./minute.js"
import * as Scenario from "./scenario.js"
import { type Frame, svg } from "./svg.js"
import { number, sum } from "./words.js"

const file = fileURLToPath(new URL("../../docs/demo.svg", import.meta.url))

const size = { columns: 80, rows: 24 }
const everyMillis = 250

const record = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const frames: Array<Frame> = []
  let result = ""
  const redis = yield* anyRedis
  yield* minute(redis, {
    everyMillis,
    show: (samples) =>
      Effect.sync(() => {
        frames.push(chart(samples, size, Scenario.seconds))
        result = sum(samples)
      })
  })
  const text = svg(frames, {
    size: { ...size, rows: frames[0]?.length ?? size.rows },
    frameMillis: everyMillis,
    holdMillis: 6_000,
    title: "Queries per second of a Redis with a ttl and of RedisCache, under the same traffic",
    description:
      "Recorded in a terminal. With a ttl, whenever hot entries expire, everybody who misses " +
      `queries. RedisCache queries once, even if the process that loads is killed: ${result}.`
  })
  yield* fs.writeFileString(file, text)
  yield* Console.log(`${result}\n${frames.length} frames, ${number(text.length)} characters`)
})

record.pipe(
  Effect.scoped,
  Effect.catchTag("NoRedis", ({ message }) => Console.log(message)),
  Effect.zipRight(Effect.sync(() => void process.exit())),
  Effect.provide(NodeContext.layer),
  NodeRuntime.runMain
)
