/** The inside of a worker process: answers what is asked through `startWorker`. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/** Payloads and replies go through JSON. */
export type Handlers = Record<
  string,
  (payload: never) => Promise<unknown> | Effect.Effect<unknown, unknown>
>

export type Request =
  | { readonly type: "stop" }
  | {
      readonly type: "call"
      readonly name: string
      readonly payload: unknown
      /** Absent where no reply is awaited. */
      readonly id?: number
    }

type Call = Extract<Request, { type: "call" }>

export type Response =
  | { readonly type: "ready" }
  /** Nothing comes after it. */
  | { readonly type: "ended"; readonly reason?: string }
  | { readonly type: "reply"; readonly id: number; readonly reply?: unknown }
  | { readonly type: "error"; readonly id: number; readonly reason: string }
  | { readonly type: "message"; readonly message: unknown }

/** Tells the parent something it has not asked for. */
export const post = (message: unknown): Effect.Effect<void> =>
  Effect.sync(() => respond({ type: "message", message }))

/**
 * Serves until the parent says stop, or is gone. Handlers made by an effect may use its scope: it is
 * closed when the worker is stopped, not when it is killed.
 */
export const serve = <H extends Handlers>(
  handlers: H | Effect.Effect<H, unknown, Scope.Scope>
): void => {
  const made = Effect.isEffect(handlers) ? handlers : Effect.succeed(handlers)
  const main = Effect.runFork(
    Effect.scoped(
      Effect.flatMap(made, (handlers) => {
        process.on("message", (request: Request) => {
          if (request.type === "call") answer(handlers, request)
        })
        respond({ type: "ready" })
        return Effect.never
      })
    )
  )
  const stop = () => void Effect.runFork(Fiber.interrupt(main))
  process.on("disconnect", stop)
  process.on("message", (request: Request) => {
    if (request.type === "stop") stop()
  })
  main.addObserver((exit) => {
    const reason =
      Exit.isFailure(exit) && !Exit.isInterrupted(exit) ? { reason: Cause.pretty(exit.cause) } : {}
    // What has not been written yet would be lost with the process.
    if (process.connected) respond({ type: "ended", ...reason }, () => process.exit())
    else process.exit()
  })
}

const answer = (handlers: Handlers, { id, name, payload }: Call): void => {
  const call = Effect.suspend(() => {
    const handler = handlers[name]
    if (handler === undefined) return Effect.dieMessage(`no handler for ${name}`)
    const result = handler(payload as never)
    return Effect.isEffect(result) ? result : Effect.promise(() => result)
  })
  Effect.runCallback(call, {
    onExit: (exit) => {
      if (id === undefined) return
      respond(
        Exit.isSuccess(exit)
          ? { type: "reply", id, reply: exit.value }
          : { type: "error", id, reason: Cause.pretty(exit.cause) }
      )
    }
  })
}

const respond = (response: Response, sent?: () => void): void =>
  void process.send?.(response, undefined, undefined, sent)
