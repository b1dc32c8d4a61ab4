/**
 * Redis and Valkey, the real ones, for as long as a scope lasts.
 *
 * Usable under a test clock: whatever waits here waits in real time.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Path from "node:path"
import * as Binaries from "./binaries.js"
import * as ChildProcess from "./childProcess.js"
import { makeFakeClock, noFakeClock } from "./fakeClock.js"
import { liveClock } from "./liveClock.js"
import { freePort } from "./port.js"
import { launch, type RedisProcess, ServerFailed } from "./redisProcess.js"

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
    const log = Path.join(folder, "server.log")
    const fixed = ["--bind", "127.0.0.1", "--dir", folder, "--logfile", log, ...volatile]
    const optional = [...(scripting ? [] : withoutScripting), ...args]
    const life = yield* makeLife((port) =>
      launch({
        path,
        args: ["--port", String(port), ...fixed, ...optional],
        env: { ...env, ...clock.env },
        port,
        log,
        cleanUp: clock.cleanUp
      })
    )
    const server: RedisServer = {
      url: `redis://127.0.0.1:${life.port}`,
      host: "127.0.0.1",
      flavour,
      isOwned: true,
      stepClock: clock.step,
      ...life
    }
    return server
  })

const volatile = ["--save", "", "--appendonly", "no"]

const withoutScripting = [
  ...["EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "SCRIPT"],
  ...["FCALL", "FCALL_RO", "FUNCTION"]
].flatMap((name) => ["--rename-command", name, ""])

/** A server's processes, one after the other, all at the port that was free for the first. */
const makeLife = <R>(
  start: (port: number) => Effect.Effect<RedisProcess, ServerFailed, R | Scope.Scope>
) =>
  Effect.gen(function* () {
    const whole = yield* Effect.scope
    const context = yield* Effect.context<R>()
    let current: RedisProcess
    let scope: Scope.CloseableScope

    const begin = (port: number) =>
      Effect.gen(function* () {
        scope = yield* Scope.fork(whole, ExecutionStrategy.sequential)
        current = yield* Scope.extend(start(port), scope)
      }).pipe(
        Effect.onError(() => kill),
        Effect.provide(context)
      )
    // Killing is what closing the scope does.
    const kill = Effect.suspend(() => Scope.close(scope, Exit.void))
    const withPid = (use: (pid: number) => Effect.Effect<void>) =>
      Effect.suspend(() =>
        Effect.if(current.isRunning, {
          onTrue: () => use(current.pid),
          onFalse: () => Effect.dieMessage("the server is not running")
        })
      )

    const port = yield* freePort.pipe(
      Effect.tap(begin),
      // Somebody else was quicker.
      Effect.retry({ times: 3, while: (error) => /address already in use/i.test(error.message) })
    )
    const stop = withPid((pid) =>
      ChildProcess.signal(pid, "SIGTERM").pipe(
        Effect.zipRight(ChildProcess.resume(pid)),
        Effect.zipRight(current.exited),
        Effect.zipRight(kill)
      )
    )
    const restart = Effect.zipRight(kill, liveClock(Effect.orDie(begin(port))))
    return {
      port,
      pause: withPid(ChildProcess.pause),
      resume: withPid(ChildProcess.resume),
      kill,
      stop,
      restart
    }
  })
