/** The processes of servers: those that go on serving, and those that do one thing and end. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { FaultProcess } from "effect-larder/testing"
import { execFile } from "node:child_process"

export class ServerFailed extends Data.TaggedError("ServerFailed")<{
  readonly message: string
  readonly cause?: unknown
}> {}

export const launch = (
  options: FaultProcess.Options
): Effect.Effect<FaultProcess.Service, ServerFailed, Scope.Scope> =>
  FaultProcess.make(options).pipe(
    // Nothing in it is worth a farewell.
    Effect.tap((server) => Effect.addFinalizer(() => server.kill)),
    Effect.mapError((cause) => new ServerFailed({ message: cause.message, cause }))
  )

export interface Command {
  readonly file: string
  readonly args: ReadonlyArray<string>
  /** Besides this process's own. */
  readonly env: Readonly<Record<string, string>>
  /** What it reads, to the end. */
  readonly input?: string
}

/** Runs it to its end; what it said is in the error only. */
export const complete = ({
  args,
  env,
  file,
  input = ""
}: Command): Effect.Effect<void, ServerFailed> =>
  Effect.async((resume, signal) => {
    const options = { env: { ...process.env, ...env }, signal }
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      if (error === null) return resume(Effect.void)
      // Not the error's own message: it has the whole command line, and what was said once more.
      const message = `${file} has failed (${error.code})\n${stdout}${stderr}`
      resume(new ServerFailed({ message, cause: error }))
    })
    // One that ends early does not read it all; then its exit tells.
    child.stdin?.on("error", () => undefined).end(input)
  })
