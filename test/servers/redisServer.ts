/**
 * Redis and Valkey, the real ones, for as long as a scope lasts.
 *
 * Usable under a test clock: whatever waits here waits in real time.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Binaries from "./binaries.js"
import { makeFakeClock, noFakeClock } from "./fakeClock.js"
import { liveClock } from "./liveClock.js"
import { launch } from "./redisProcess.js"
import { ServerFailed } from "./serverProcess.js"

export type Flavour = "redis" | "valkey"

export interface RedisOptions {
  readonly flavour?: Flavour | undefined
  /** Is there Lua? `false` takes its commands away, as some hosted servers do. */
  readonly scripting?: boolean | undefined
  /** `true`: a clock that runs and can be stepped; `"frozen"`: one that moves by steps alone. */
  readonly fakeClock?: boolean | "frozen" | undefined
  readonly args?: ReadonlyArray<string> | undefined
  /** Never one of the environment's: this one will be hurt. */
  readonly own?: boolean | undefined
}

export interface RedisServer {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly flavour: Flavour
  /** Did this run start it? Faults are done to no other: their effects die. */
  readonly isOwned: boolean
  /** Stops it where it is: connections stay open, and nothing is answered. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Ends it at once, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  /** Asks it to end, and waits until it is gone. */
  readonly stop: Effect.Effect<void>
  /** Starts it at the same port, empty, and waits until it answers; one that runs is killed first. */
  readonly restart: Effect.Effect<void>
  /** Moves its wall clock on. Needs `fakeClock`. */
  readonly stepClock: (millis: number) => Effect.Effect<void>
}

/** A server of the environment's (`REDIS_URL`, `VALKEY_URL`) if a plain one will do, or our own. */
export const startRedis = (
  options: RedisOptions = {}
): Effect.Effect<RedisServer, Binaries.ServerMissing | ServerFailed, Scope.Scope> =>
  Effect.suspend(() => {
    const {
      args = [],
      fakeClock = false,
      flavour = "redis",
      own = false,
      scripting = true
    } = options
    const url = process.env[flavour === "redis" ? "REDIS_URL" : "VALKEY_URL"] ?? ""
    const isPlain = !own && scripting && fakeClock === false && args.length === 0
    if (flavour === "valkey" && fakeClock !== false) return unfakeable
    if (isPlain && url !== "") return Effect.succeed(foreign(url, flavour))
    return startOwn({ args, fakeClock, flavour, scripting }).pipe(
      Effect.provide(NodeContext.layer),
      liveClock
    )
  })

// It frees by jemalloc's own functions what it allocates by malloc: it crashes with another malloc,
// and libfaketime does not get on with jemalloc (fakeClock.ts).
const unfakeable = new ServerFailed({
  message: "Valkey does not run under a fake clock; Redis does"
})

const foreign = (url: string, flavour: Flavour): RedisServer => {
  const { hostname, port } = new URL(url)
  const refused = Effect.dieMessage(
    "faults are done only to servers that this run has started (`own: true`)"
  )
  return {
    url,
    host: hostname,
    port: port === "" ? 6379 : Number(port),
    flavour,
    isOwned: false,
    pause: refused,
    resume: refused,
    kill: refused,
    stop: refused,
    restart: refused,
    stepClock: () => refused
  }
}

interface Own {
  readonly args: ReadonlyArray<string>
  readonly fakeClock: boolean | "frozen"
  readonly flavour: Flavour
  readonly scripting: boolean
}

const startOwn = ({ args, fakeClock, flavour, scripting }: Own) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { env, path } = yield* Binaries.find(`${flavour}-server`)
    const folder = yield* Effect.orDie(fs.makeTempDirectoryScoped({ prefix: `${flavour}-` }))
    const clock = yield* fakeClock === false
      ? Effect.succeed(noFakeClock)
      : makeFakeClock(fakeClock === "frozen" ? "frozen" : "running", folder)
    const fixed = ["--bind", "127.0.0.1", "--dir", folder, ...volatile]
    const optional = [...(scripting ? [] : withoutScripting), ...args]
    const server = yield* launch({
      file: path,
      args: (port) => ["--port", String(port), ...fixed, ...optional],
      env: { ...env, ...clock.env }
    })
    const cleanUp = Effect.flatMap(server.pid, clock.cleanUp)
    yield* Effect.addFinalizer(() => Effect.zipRight(server.kill, cleanUp))
    const started: RedisServer = {
      url: `redis://127.0.0.1:${server.port}`,
      host: "127.0.0.1",
      port: server.port,
      flavour,
      isOwned: true,
      pause: server.stop,
      resume: server.continue,
      kill: server.kill,
      stop: server.end,
      restart: server.kill.pipe(
        Effect.zipRight(cleanUp),
        Effect.zipRight(server.restart),
        Effect.orDie
      ),
      stepClock: clock.step
    }
    return started
  })

const volatile = ["--save", "", "--appendonly", "no"]

const withoutScripting = [
  ...["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "SCRIPT"],
  ...["FCALL", "FCALL_RO", "FUNCTION"]
].flatMap((name) => ["--rename-command", name, ""])
