/** What a test says to a server itself, and what it overhears. */
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import { randomUUID } from "node:crypto"
import { liveClock } from "./liveClock.js"

export class CommandFailed extends Data.TaggedError("CommandFailed")<{
  readonly message: string
  readonly cause: unknown
}> {}

export type Reply = string | number | null | ReadonlyArray<Reply>

/** Where to say it: a server of `startRedis`, or what stands before one. */
export interface Address {
  readonly url: string
}

export const command = (
  server: Address,
  name: string,
  ...args: ReadonlyArray<string | number>
): Effect.Effect<Reply, CommandFailed> =>
  Effect.scoped(
    Effect.flatMap(connect(server), (connection) =>
      attempt(() => connection.call(name, ...args) as Promise<Reply>)
    )
  )

export interface Overheard {
  readonly args: ReadonlyArray<string>
  /** Called by a script, and not by a client? */
  readonly isFromLua: boolean
  /** As `MONITOR` prints it, without the time: a script's is `[0 lua] "get" "key"`. */
  readonly line: string
}

export interface Monitor {
  /** What the server was told since the monitor began, or was cleared; up to this very moment. */
  readonly overheard: Effect.Effect<ReadonlyArray<Overheard>>
  readonly lines: Effect.Effect<ReadonlyArray<string>>
  readonly clear: Effect.Effect<void>
}

/** Listens to all that a server is told, until the scope closes. */
export const monitor = (server: Address): Effect.Effect<Monitor, CommandFailed, Scope.Scope> =>
  Effect.gen(function* () {
    const heard: Array<Overheard> = []
    const marks = new Map<string, Deferred.Deferred<void>>()
    const connection = yield* connect(server)
    const listener = yield* Effect.acquireRelease(
      attempt(() => connection.monitor()),
      (listener) => Effect.sync(() => listener.disconnect())
    )
    listener.on("monitor", (_time: string, args: Array<string>, source: string, db: string) => {
      const mark = marks.get(args[1] ?? "")
      if (mark !== undefined) return Deferred.unsafeDone(mark, Effect.void)
      const line = `[${db} ${source}] ${args.map((arg) => JSON.stringify(arg)).join(" ")}`
      heard.push({ args, isFromLua: source === "lua", line })
    })

    // What was said before the mark has been heard when the mark is.
    const catchUp = Effect.gen(function* () {
      const text = randomUUID()
      const mark = yield* Deferred.make<void>()
      marks.set(text, mark)
      yield* attempt(() => connection.echo(text))
      yield* Effect.timeout(Deferred.await(mark), patience)
      marks.delete(text)
    }).pipe(liveClock, Effect.ignore)

    const overheard = Effect.map(catchUp, () => heard.slice())
    return {
      overheard,
      lines: Effect.map(overheard, (all) => all.map(({ line }) => line)),
      clear: Effect.map(catchUp, () => void (heard.length = 0))
    }
  })

const patience = 5_000

const connect = ({ url }: Address) =>
  Effect.acquireRelease(
    Effect.suspend(() => {
      const connection = new Redis(url, {
        lazyConnect: true,
        enableReadyCheck: false,
        disableClientInfo: true,
        connectTimeout: patience,
        commandTimeout: patience,
        retryStrategy: () => null
      })
      // Without a listener the driver would print what the effect fails with anyway.
      connection.on("error", () => undefined)
      return Effect.as(
        attempt(() => connection.connect()),
        connection
      )
    }),
    (connection) => Effect.sync(() => connection.disconnect())
  )

const attempt = <A>(say: () => Promise<A>) =>
  Effect.tryPromise({
    try: say,
    catch: (cause) => new CommandFailed({ message: String(cause), cause })
  })
