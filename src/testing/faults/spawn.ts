/** A process from its start to its end. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Node from "node:child_process"
import * as ChildProcess from "./childProcess.js"

export interface Child {
  readonly pid: number
  readonly state: () => "running" | "stopped" | "ended"
  /** The last it has said. */
  readonly output: () => string
  readonly stop: Effect.Effect<void>
  readonly continue: Effect.Effect<void>
  /** Signals it, and waits until it is gone. */
  readonly end: (name: "SIGKILL" | "SIGTERM") => Effect.Effect<void>
  readonly ended: Effect.Effect<void>
  /** Nothing more will be said: it has ended, and so has what it lent its output to. */
  readonly silent: Effect.Effect<void>
}

/** How much of its output is kept, in characters. */
const longestOutput = 10_000

export const spawn = (
  file: string,
  args: ReadonlyArray<string>,
  env: Readonly<Record<string, string>>
): Effect.Effect<Child, Error> =>
  Effect.async((resume) => {
    const child = Node.spawn(file, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    child.once("error", (error) => resume(Effect.fail(error)))
    child.once("spawn", () => resume(Effect.sync(() => follow(child))))
  })

const follow = (child: Node.ChildProcess): Child => {
  const pid = child.pid!
  const unbind = ChildProcess.bind(pid)
  const ended = Deferred.unsafeMake<void>(FiberId.none)
  const silent = Deferred.unsafeMake<void>(FiberId.none)
  let state: "running" | "stopped" | "ended" = "running"
  let output = ""
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-longestOutput)
    })
  }
  child.once("exit", () => {
    unbind()
    state = "ended"
    Deferred.unsafeDone(ended, Effect.void)
  })
  child.once("close", () => Deferred.unsafeDone(silent, Effect.void))
  // In one step with the look whether it runs: of one that has ended, the id may be another's.
  const whileAlive = (act: () => Effect.Effect<void>) =>
    Effect.suspend(() => (state === "ended" ? Effect.void : act()))
  const goOn = () => {
    state = "running"
    ChildProcess.signal(pid, "SIGCONT")
  }
  return {
    pid,
    state: () => state,
    output: () => output,
    stop: whileAlive(() => {
      state = "stopped"
      ChildProcess.signal(pid, "SIGSTOP")
      return ChildProcess.standsStill(pid)
    }),
    continue: whileAlive(() => Effect.succeed(goOn())),
    end: (name) =>
      whileAlive(() => {
        ChildProcess.signal(pid, name)
        // One that is stopped hears of no end but the hardest.
        goOn()
        return Deferred.await(ended)
      }),
    ended: Deferred.await(ended),
    silent: Deferred.await(silent)
  }
}
