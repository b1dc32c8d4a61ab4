/**
 * A server's process, and what can befall it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Net from "node:net"
import { freePort } from "./port.js"
import { type Child, spawn } from "./spawn.js"

/**
 * A process could not be started.
 *
 * - `NotFound`: there is no such program
 * - `NotStarted`: there is, and the system would not start it
 * - `Ended`: it ended before it was ready; `output` is the last it said
 * - `NotReady`: it did not get ready in time, and was killed
 *
 * @since 0.1.0
 * @category errors
 */
export class ProcessFailed extends Schema.TaggedError<ProcessFailed>("effect-larder/ProcessFailed")(
  "ProcessFailed",
  {
    file: Schema.String,
    reason: Schema.Literal("NotFound", "NotStarted", "Ended", "NotReady"),
    output: Schema.String,
    /** What the user can do. */
    remedy: Schema.String,
    cause: Schema.optional(Schema.Defect)
  }
) {
  override get message(): string {
    const said = this.output === "" ? "" : `\n${this.output}`
    return `${this.file} ${whatHappened[this.reason]}. Remedy: ${this.remedy}${said}`
  }
}

const whatHappened = {
  NotFound: "is not there",
  NotStarted: "cannot be started",
  Ended: "ended before it was ready",
  NotReady: "was not ready in time"
}

/**
 * A command line, and how to tell that what it starts is ready.
 *
 * - `file`: a program on the `PATH`, or its path
 * - `args`: given the port, if they are a function
 * - `env`: besides this process's own
 * - `port`: that the server is to serve; default: one of the loopback interface that
 *   is free
 * - `ready`: tried again and again until it succeeds; default: that the port accepts
 *   a connection
 * - `patience`: how long it may take to be ready, and to end when it is asked to;
 *   default 15 seconds
 * - `install`: how to get the program, for the error that says that it is not there
 *
 * @since 0.1.0
 * @category models
 */
interface Options<R = never> {
  readonly file: string
  readonly args?: ReadonlyArray<string> | ((port: number) => ReadonlyArray<string>) | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly port?: number | undefined
  readonly ready?: ((running: Running) => Effect.Effect<unknown, unknown, R>) | undefined
  readonly patience?: Duration.DurationInput | undefined
  readonly install?: string | undefined
}

/**
 * What `ready` is asked about.
 *
 * @since 0.1.0
 * @category models
 */
interface Running {
  readonly pid: number
  readonly port: number
}

interface Service {
  /** The same for all that are started, one after the other. */
  readonly port: number
  /** Of the process that runs, or ran last. */
  readonly pid: Effect.Effect<number>
  readonly state: Effect.Effect<"running" | "stopped" | "ended">
  /**
   * Stops it where it is (SIGSTOP), and waits until it stands still: connections stay
   * open, and nothing is answered. Dies if it has ended.
   */
  readonly stop: Effect.Effect<void>
  /** Lets a stopped one go on (SIGCONT). Dies if it has ended. */
  readonly continue: Effect.Effect<void>
  /** Ends it at once (SIGKILL), and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  /**
   * Asks it to end (SIGTERM), and waits until it is gone; a stopped one goes on first,
   * and one that has not ended when patience has is killed.
   */
  readonly end: Effect.Effect<void>
  /**
   * Starts it by the same command at the same port, and waits until it is ready. One
   * that runs is killed first. What it kept in memory is gone.
   */
  readonly restart: Effect.Effect<void, ProcessFailed>
}

/**
 * Any server as a process of its own, which a test stops, continues, kills and
 * starts again. It is asked to end when the layer's scope closes, and so is nothing
 * but what was started here; when this process exits, it is killed.
 *
 * What the process has started itself is its own to end. Not for Windows, which has
 * no such signals. Usable under a test clock: all waiting is in real time.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { FaultProcess } from "effect-larder/testing"
 *
 * const RedisLive = FaultProcess.layer({
 *   file: "redis-server",
 *   args: (port) => ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""],
 *   install: "apt-get install redis-server"
 * })
 *
 * export const program = Effect.gen(function* () {
 *   const redis = yield* FaultProcess
 *   yield* redis.stop // clients of redis.port hear nothing
 *   yield* redis.continue
 *   yield* redis.kill
 *   yield* redis.restart
 * }).pipe(Effect.provide(RedisLive))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class FaultProcess extends Context.Tag("effect-larder/FaultProcess")<
  FaultProcess,
  Service
>() {
  /**
   * Starts a process, and waits until it is ready.
   *
   * @since 0.1.0
   */
  static readonly make = <R = never>(
    options: FaultProcess.Options<R>
  ): Effect.Effect<FaultProcess.Service, ProcessFailed, Scope.Scope | R> => make(options)

  /**
   * `make` as a layer.
   *
   * @since 0.1.0
   */
  static readonly layer = <R = never>(
    options: FaultProcess.Options<R>
  ): Layer.Layer<FaultProcess, ProcessFailed, Exclude<R, Scope.Scope>> =>
    Layer.scoped(this, make(options))
}

/**
 * What belongs to the tag.
 *
 * @since 0.1.0
 */
export declare namespace FaultProcess {
  /**
   * The service behind the tag.
   *
   * @since 0.1.0
   */
  export type { Service }

  /**
   * What it takes.
   *
   * @since 0.1.0
   */
  export type { Options, Running }
}

const make = <R>({
  args = [],
  env = {},
  file,
  install = "install it, or give its path",
  patience = "15 seconds",
  port: fixedPort,
  ready = ({ port }) => accepts(port)
}: Options<R>): Effect.Effect<Service, ProcessFailed, Scope.Scope | R> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const context = yield* Effect.context<R>()
    // Of two starts at once, one would be forgotten.
    const oneByOne = yield* Effect.makeSemaphore(1)
    let child: Child

    // Interruptible also in a finalizer, or what will not end would be awaited for ever.
    const finish = (child: Child) =>
      Effect.interruptible(child.end("SIGTERM")).pipe(
        Effect.timeoutFail({ duration: patience, onTimeout: () => "still there" }),
        Effect.catchAll(() => child.end("SIGKILL")),
        inRealTime
      )
    const untilReady = (port: number) =>
      Effect.isSuccess(ready({ pid: child.pid, port })).pipe(
        Effect.repeat({ until: (isReady) => isReady, schedule: Schedule.spaced("4 millis") }),
        Effect.provide(context),
        Effect.timeoutFail({
          duration: patience,
          onTimeout: () =>
            new ProcessFailed({
              file,
              reason: "NotReady",
              remedy: `does it serve port ${port}? Its patience was ${written(patience)}`,
              output: child.output()
            })
        })
      )
    // Some have lent their output to others, who live on: it is waited for, but not for long.
    const endedAtOnce = Effect.gen(function* () {
      yield* child.ended
      yield* Effect.timeoutOption(child.silent, "100 millis")
      const output = child.output()
      return yield* new ProcessFailed({ file, reason: "Ended", remedy: "see its output", output })
    })
    const start = (port: number) =>
      Effect.gen(function* () {
        const words = typeof args === "function" ? args(port) : args
        child = yield* Effect.acquireRelease(
          Effect.mapError(spawn(file, words, env), notStarted(file, install)),
          finish
        )
        // Interruptible also in a finalizer: of a race, the loser is interrupted.
        yield* Effect.raceFirst(
          Effect.interruptible(untilReady(port)),
          Effect.interruptible(endedAtOnce)
        ).pipe(Effect.onError(() => child.end("SIGKILL")))
      }).pipe(Scope.extend(scope), inRealTime)

    const port =
      fixedPort === undefined
        ? yield* Effect.tap(freePort, start).pipe(
            // Somebody else was quicker.
            Effect.retry({ times: 3, while: ({ output }) => addressInUse.test(output) })
          )
        : yield* Effect.as(start(fixedPort), fixedPort)
    const kill = Effect.suspend(() => child.end("SIGKILL"))
    const alive = (act: (child: Child) => Effect.Effect<void>) =>
      Effect.suspend(() =>
        child.state() === "ended" ? Effect.dieMessage(`${file} has ended`) : act(child)
      )
    return {
      port,
      pid: Effect.sync(() => child.pid),
      state: Effect.sync(() => child.state()),
      stop: alive((child) => child.stop),
      continue: alive((child) => child.continue),
      kill,
      end: Effect.suspend(() => finish(child)),
      restart: oneByOne.withPermits(1)(Effect.zipRight(kill, start(port)))
    }
  })

const addressInUse = /address already in use|EADDRINUSE/i

const written = (duration: Duration.DurationInput) => Duration.format(Duration.decode(duration))

/** Under a test's clock, which stands still, nobody would wait for a real process. */
const inRealTime: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.withClock(Clock.make())

const notStarted = (file: string, install: string) => (cause: Error) => {
  const isMissing = "code" in cause && cause.code === "ENOENT"
  return new ProcessFailed({
    file,
    reason: isMissing ? "NotFound" : "NotStarted",
    remedy: isMissing ? install : cause.message,
    output: "",
    cause
  })
}

const accepts = (port: number): Effect.Effect<void, Error> =>
  Effect.async((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => {
      socket.destroy()
      resume(Effect.void)
    })
    socket.on("error", (error) => resume(Effect.fail(error)))
    return Effect.sync(() => socket.destroy())
  })
