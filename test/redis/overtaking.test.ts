/** No read that begins after an acknowledged write is given something older, in any process. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, startRedis } from "../servers/redis.js"
import { startWorker } from "../servers/worker.js"
import { seedOf } from "./chance.js"
import { lanes, plan, run, silently, type Truth, violations } from "./overtaking.js"
import type { OvertakingHandlers } from "./overtaking.worker.js"
import { asEnvironment } from "./processes.js"

/** A command that comes too late is another subject. */
const commandTimeout = 10_000

const prefix = `overtaking-${process.pid}-${Date.now()}`

/** A counter in this process: its two caches read it in no time. */
const makeTruth = (): Truth => {
  let truth = 0
  return { moveOn: Effect.sync(() => ++truth), read: Effect.sync(() => truth) }
}

/** Some rounds at a time, each on a lane of its own; what went wrong. */
const playRounds = <E, R>(
  count: number,
  lanes: number,
  startLane: (
    lane: number
  ) => Effect.Effect<(round: number) => Effect.Effect<ReadonlyArray<string>, E, R>, E, R>
) =>
  Effect.forEach(
    Array.from({ length: lanes }, (_, lane) => lane),
    (lane) =>
      Effect.gen(function* () {
        const play = yield* startLane(lane)
        const found: Array<string> = []
        for (let round = lane; round < count; round += lanes) found.push(...(yield* play(round)))
        return found
      }),
    { concurrency: "unbounded" }
  ).pipe(
    Effect.map((found) => found.flat()),
    silently
  )

/** Two caches of this process, each over connections of its own: to the protocol, two processes. */
const inOneProcess = (url: string, rounds: number, lanes: number, seed: number) =>
  Effect.gen(function* () {
    const clients = yield* Effect.replicateEffect(
      Layer.build(RedisClient.layer({ url, commandTimeout })),
      2
    )
    return yield* playRounds(rounds, lanes, (lane) =>
      Effect.gen(function* () {
        const layer = RedisCache.layer({ prefix: `${prefix}-${lane}` })
        const caches = yield* Effect.forEach(clients, (client) =>
          Effect.provide(Layer.build(layer), client)
        )
        return (round) => {
          const truth = makeTruth()
          return Effect.forEach(
            caches,
            (cache, process) => Effect.provide(run(plan(round, process, seed), truth), cache),
            { concurrency: "unbounded" }
          ).pipe(Effect.map((happenings) => violations(happenings.flat())))
        }
      })
    )
  })

const inTwoProcesses = (url: string, rounds: number, seed: number) =>
  Effect.gen(function* () {
    const settings = { url, prefix: `${prefix}-far`, commandTimeout }
    const workers = yield* Effect.replicateEffect(
      startWorker<OvertakingHandlers>(new URL("overtaking.worker.ts", import.meta.url), {
        env: asEnvironment(settings)
      }),
      2,
      { concurrency: "unbounded" }
    )
    return yield* playRounds(rounds, lanes, (lane) =>
      Effect.succeed((round) =>
        Effect.forEach(
          workers,
          (worker, process) => worker.ask("play", { lane, round, process, seed }),
          { concurrency: "unbounded" }
        ).pipe(Effect.map((happenings) => violations(happenings.flat())))
      )
    )
  })

/** The first stories are enough. */
const expectNone = (found: ReadonlyArray<string>) => expect(found.slice(0, 2).join("\n\n")).toBe("")

/** The address of a Redis for a user who may do everything but publish and subscribe. */
const startMute = Effect.gen(function* () {
  const redis = yield* startRedis({ own: true })
  const rules = ["on", ">silence", "~*", "+@all", "resetchannels"]
  yield* command(redis, "ACL", "SETUSER", "mute", ...rules)
  return `redis://mute:silence@${redis.host}:${redis.port}`
})

describeWithServer("a read that begins after an acknowledged write", ["redis"], () => {
  it.scopedLive(
    "sees nothing older, in 700 interleavings over two caches",
    () =>
      Effect.gen(function* () {
        const { url } = yield* startRedis()
        expectNone(yield* inOneProcess(url, 700, 8, seedOf("two caches")))
      }),
    120_000
  )

  it.scopedLive(
    "sees nothing older, in 300 interleavings over two processes",
    () =>
      Effect.gen(function* () {
        const { url } = yield* startRedis()
        expectNone(yield* inTwoProcesses(url, 300, seedOf("two processes")))
      }),
    120_000
  )
})

describeWithServer("where all pushes are lost", ["redis-server"], () => {
  it.scopedLive(
    "it sees nothing older, in 700 interleavings over two caches",
    () =>
      Effect.gen(function* () {
        const seed = seedOf("two caches, pushes lost")
        // Waiters poll: most of the time nothing happens.
        expectNone(yield* inOneProcess(yield* startMute, 700, 100, seed))
      }),
    120_000
  )

  it.scopedLive(
    "it sees nothing older, in 300 interleavings over two processes",
    () =>
      Effect.gen(function* () {
        const seed = seedOf("two processes, pushes lost")
        expectNone(yield* inTwoProcesses(yield* startMute, 300, seed))
      }),
    120_000
  )
})
