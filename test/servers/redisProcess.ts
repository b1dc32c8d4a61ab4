/** A process of a server, from its start until its scope closes. */
import * as Command from "@effect/platform/Command"
import type * as CommandExecutor from "@effect/platform/CommandExecutor"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Net from "node:net"
import * as ChildProcess from "./childProcess.js"

export class ServerFailed extends Data.TaggedError("ServerFailed")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export interface RedisProcess {
  readonly pid: number
  readonly isRunning: Effect.Effect<boolean>
  /** Returns when the process is gone. */
  readonly exited: Effect.Effect<void>
}

export interface Launch {
  readonly path: string
  readonly args: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  readonly port: number
  readonly log: string
  /** Run when the process is gone. */
  readonly cleanUp: (pid: number) => Effect.Effect<void>
}

/** Starts the process and waits until it answers. */
export const launch = ({
  args,
  cleanUp,
  env,
  log,
  path,
  port
}: Launch): Effect.Effect<
  RedisProcess,
  ServerFailed,
  Scope.Scope | CommandExecutor.CommandExecutor | FileSystem.FileSystem
> =>
  Effect.gen(function* () {
    const command = Command.env(Command.make(path, ...args), env)
    const process = yield* Effect.mapError(
      Command.start(command),
      (cause) => new ServerFailed({ message: `${path} does not start: ${cause.message}`, cause })
    )
    const { pid } = process
    const isRunning = Effect.orDie(process.isRunning)
    const exited = Effect.asVoid(Effect.exit(process.exitCode))
    const unbind = ChildProcess.bind(pid)
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        if (yield* isRunning) yield* ChildProcess.signal(pid, "SIGKILL")
        yield* exited
        unbind()
        yield* cleanUp(pid)
      })
    )
    // Read from the start: what nobody has asked for when the process ends, Node throws away.
    const stderr = yield* Effect.forkScoped(Stream.mkString(Stream.decodeText(process.stderr)))
    const ended = Effect.gen(function* () {
      yield* exited
      const fs = yield* FileSystem.FileSystem
      const said = yield* Effect.orElseSucceed(Fiber.join(stderr), () => "")
      const logged = yield* Effect.orElseSucceed(fs.readFileString(log), () => "")
      return yield* new ServerFailed({ message: `${path} ended at once:\n${said}${logged}` })
    })
    yield* Effect.raceFirst(untilReady(pid, port), ended)
    return { pid, isRunning, exited }
  })

const patience = Duration.seconds(15)

/** Until it is this very process that answers: on a port lost to another, another would. */
const untilReady = (pid: number, port: number) =>
  whoAnswers(port).pipe(
    Effect.repeat({
      until: (who) => who === pid || who === "somebody",
      schedule: Schedule.spaced(Duration.millis(4))
    }),
    Effect.timeoutFail({
      duration: patience,
      onTimeout: () =>
        new ServerFailed({ message: `no answer at port ${port} in ${Duration.format(patience)}` })
    })
  )

/** The process that answers at the port; somebody, if it tells that to no stranger. */
const whoAnswers = (port: number): Effect.Effect<number | "somebody" | "nobody"> =>
  Effect.async((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write("INFO server\r\n"))
    const answer = (who: number | "somebody" | "nobody") => {
      socket.destroy()
      resume(Effect.succeed(who))
    }
    let reply = ""
    socket.setEncoding("latin1").on("data", (text) => {
      reply += text
      const pid = /^process_id:(\d+)\r$/m.exec(reply)?.[1]
      if (pid !== undefined) answer(Number(pid))
      if (reply.startsWith("-NOAUTH")) answer("somebody")
    })
    socket.on("error", () => answer("nobody"))
    socket.on("end", () => answer("nobody"))
    return Effect.sync(() => socket.destroy())
  })
