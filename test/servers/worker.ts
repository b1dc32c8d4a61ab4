/** Processes of our own that a test steers: asks, pauses, kills. */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Node from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { bundle } from "./bundle.js"
import * as ChildProcess from "../../src/testing/faults/childProcess.js"
import type { Handlers, Request, Response } from "./serve.js"

export class WorkerFailed extends Data.TaggedError("WorkerFailed")<{
  readonly message: string
}> {}

type Untyped = Record<string, (payload?: unknown) => Promise<unknown>>

/** A handler of no parameter is asked with none. */
type Payload<H extends Handlers, K extends keyof H> = Parameters<H[K]>

type Reply<H extends Handlers, K extends keyof H> =
  ReturnType<H[K]> extends Effect.Effect<infer A, infer _E> ? A : Awaited<ReturnType<H[K]>>

export interface Worker<H extends Handlers = Untyped> {
  readonly pid: number
  /** Calls a handler and waits for what it gives; fails with what it fails with, or if the worker ends. */
  readonly ask: <K extends keyof H & string>(
    name: K,
    ...payload: Payload<H, K>
  ) => Effect.Effect<Reply<H, K>, WorkerFailed>
  /** Calls a handler. */
  readonly send: <K extends keyof H & string>(
    name: K,
    ...payload: Payload<H, K>
  ) => Effect.Effect<void, WorkerFailed>
  /** What the worker posts. */
  readonly messages: Queue.Dequeue<unknown>
  /** Stops it where it is: its connections stay open. */
  readonly pause: Effect.Effect<void>
  readonly resume: Effect.Effect<void>
  /** Ends it at once, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  /** Has it close its scope and end, and waits until it is gone. */
  readonly stop: Effect.Effect<void>
}

export interface WorkerOptions {
  /** Besides this process's own. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * Runs a TypeScript file that calls `serve`, in a process of its own that is killed when the scope
 * closes. The file is bundled: it must not rely on where it is (`import.meta.url`).
 */
export const startWorker = <H extends Handlers = Untyped>(
  file: string | URL,
  { env = {} }: WorkerOptions = {}
): Effect.Effect<Worker<H>, WorkerFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const path = yield* bundle(file instanceof URL ? fileURLToPath(file) : file)
    const line = yield* Effect.acquireRelease(open(path, env), ({ kill }) => kill)
    yield* Deferred.await(line.ready)
    const { ask, gone, kill, messages, pid, send } = line
    const alive = (effect: Effect.Effect<void>) =>
      Effect.if(Deferred.isDone(gone), {
        onTrue: () => Effect.dieMessage("the worker is not running"),
        onFalse: () => effect
      })
    return {
      pid,
      ask: (name, ...[payload]) => ask(name, payload) as Effect.Effect<never, WorkerFailed>,
      send: (name, ...[payload]) => send({ type: "call", name, payload }),
      messages,
      pause: alive(
        Effect.suspend(() => {
          ChildProcess.signal(pid, "SIGSTOP")
          return ChildProcess.standsStill(pid)
        })
      ),
      resume: alive(Effect.sync(() => ChildProcess.signal(pid, "SIGCONT"))),
      kill,
      stop: Effect.zipRight(Effect.ignore(send({ type: "stop" })), Deferred.await(gone))
    }
  })

/** The process, and what goes to and fro. */
const open = (path: string, env: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const messages = yield* Queue.unbounded<unknown>()
    const ready = yield* Deferred.make<void, WorkerFailed>()
    const gone = yield* Deferred.make<void>()
    const asked = new Map<number, Deferred.Deferred<unknown, WorkerFailed>>()
    let lastId = 0

    const child = Node.fork(path, { env: { ...process.env, ...env }, execArgv: [] })
    const { pid } = child
    if (pid === undefined) return yield* new WorkerFailed({ message: "no process for the worker" })
    const unbind = ChildProcess.bind(pid)

    const settle = (id: number, result: Effect.Effect<unknown, WorkerFailed>) => {
      const reply = asked.get(id)
      asked.delete(id)
      if (reply !== undefined) Deferred.unsafeDone(reply, result)
    }
    const fail = (message: string) => new WorkerFailed({ message })
    child.on("message", (response: Response) => {
      switch (response.type) {
        case "ready":
          return Deferred.unsafeDone(ready, Effect.void)
        case "ended":
          return Deferred.unsafeDone(ready, fail(response.reason ?? "the worker has ended"))
        case "reply":
          return settle(response.id, Effect.succeed(response.reply))
        case "error":
          return settle(response.id, fail(response.reason))
        case "message":
          return void Queue.unsafeOffer(messages, response.message)
      }
    })
    // Both: what it said last may be read after its exit.
    const ends = ["exit", "disconnect"].map((event) => once(child, event))
    void Promise.all(ends).then(() => {
      unbind()
      const failure = fail(`the worker has ended (${child.signalCode ?? child.exitCode})`)
      Deferred.unsafeDone(ready, failure)
      for (const id of asked.keys()) settle(id, failure)
      Deferred.unsafeDone(gone, Effect.void)
    })

    const send = (request: Request) =>
      Effect.async<void, WorkerFailed>((resume) => {
        child.send(request, (error) => resume(error === null ? Effect.void : fail(error.message)))
      })
    const ask = (name: string, payload: unknown) =>
      Effect.gen(function* () {
        const id = ++lastId
        const reply = yield* Deferred.make<unknown, WorkerFailed>()
        asked.set(id, reply)
        yield* send({ type: "call", name, payload, id })
        return yield* Deferred.await(reply)
      })
    const kill = Effect.zipRight(
      Effect.sync(() => child.kill("SIGKILL")),
      Deferred.await(gone)
    )
    return { ask, gone, kill, messages, pid, ready, send }
  })
