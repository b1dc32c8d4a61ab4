/** Processes over a real Redis, whose clock goes by the test's. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { Redis } from "ioredis"
import * as Scripts from "../../src/redis/scripts.js"
import { startRedis } from "../servers/redis.js"
import { turn, until } from "./turns.js"
import {
  type Connected,
  connectByCalls,
  connectByWire,
  markChannel,
  markText,
  type Target
} from "./wire.js"
import { advanceBy, settleDown as settleFibers, type World } from "./world.js"

/** A server, and the processes that are connected to it. */
interface Running {
  readonly processes: Set<Connected>
  readonly stepClock: (millis: number) => Effect.Effect<void>
  readonly publishMark: Effect.Effect<number>
}

export const makeRedisWorld = (scripting: boolean): World => {
  // One test at a time runs in a world.
  let running: Running | undefined

  const startServer: World["startServer"] = ({ pushes = true } = {}) =>
    Effect.gen(function* () {
      const server = yield* Effect.orDie(startRedis({ fakeClock: "frozen", scripting }))
      const own = yield* connectDirectly(server.url)
      // Or the first EVALSHA of each would be answered with NOSCRIPT, and sent anew as EVAL.
      if (scripting) {
        yield* Effect.forEach(Object.values(Scripts), ({ lua }) => own("SCRIPT", "LOAD", lua), {
          discard: true
        })
      }
      let mark = 0
      const target: Target = {
        host: server.host,
        port: server.port,
        scripting,
        pushes,
        publish: (channel, text) => own("PUBLISH", channel, text),
        publishMark: Effect.suspend(() =>
          Effect.as(own("PUBLISH", markChannel, markText(++mark)), mark)
        )
      }
      const processes = new Set<Connected>()
      const { publishMark } = target
      yield* Effect.acquireRelease(
        Effect.sync(() => (running = { processes, stepClock: server.stepClock, publishMark })),
        () => Effect.sync(() => (running = undefined))
      )
      const known = (connect: Effect.Effect<Connected, never, Scope.Scope>) =>
        Effect.tap(connect, (process) =>
          Effect.acquireRelease(
            Effect.sync(() => processes.add(process)),
            () => Effect.sync(() => processes.delete(process))
          )
        )
      return {
        connect: known(connectByWire(target)),
        connectByCalls: known(connectByCalls(target))
      }
    })

  const settle = ({ processes, publishMark }: Running): Effect.Effect<void> => {
    const all = [...processes]
    const isMoving = () => all.some((process) => process.isMoving())
    const happened = () => all.reduce((sum, process) => sum + process.happened(), 0)
    return Effect.gen(function* () {
      for (;;) {
        const before = happened()
        yield* settleFibers
        yield* until(() => !isMoving())
        const mark = yield* publishMark
        yield* until(() => all.every((process) => process.hasHeard(mark)))
        yield* settleFibers
        yield* turn
        if (happened() === before && !isMoving()) return
      }
    })
  }

  const settleDown = Effect.suspend(() => (running === undefined ? settleFibers : settle(running)))

  // The server's first: whoever the test's clock wakes asks it.
  const step = (millis: number) =>
    Effect.zipRight(
      Effect.suspend(() => running?.stepClock(millis) ?? Effect.void),
      TestClock.adjust(millis)
    )

  return { startServer, settleDown, advance: advanceBy(settleDown, step) }
}

/** Says something to the server past all proxies. */
const connectDirectly = (url: string): Effect.Effect<Say, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Redis(url, { protocol: 2 } as object)),
      (connection) => Effect.sync(() => connection.disconnect())
    ),
    (connection) =>
      (name, ...args) =>
        Effect.asVoid(Effect.promise(() => connection.call(name, ...args)))
  )

type Say = (name: string, ...args: ReadonlyArray<string>) => Effect.Effect<void>
