/**
 * A backend whose every command a test can hold: when it is sent, when the
 * server executes it, and when the reply comes are three moments, and the test
 * decides their order. Replies can be lost, commands can come late.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { BackendError, type CacheBackend, type Signal } from "../port/CacheBackend.js"

/**
 * The commands that can be held.
 *
 * @since 0.1.0
 * @category models
 */
export type CommandName =
  "getMany" | "lease" | "renew" | "commit" | "release" | "set" | "invalidate" | "clear" | "holder"

/**
 * One command on its way. Each step does nothing when it is out of turn.
 *
 * @since 0.1.0
 * @category models
 */
export interface Command {
  readonly name: CommandName
  readonly keys: ReadonlyArray<string>
  /** `sent`, then `executed` by the server, then `settled` for the caller. */
  readonly state: "sent" | "executed" | "settled"
  /** The server executes it, even if its caller has given up (a late command). */
  readonly execute: Effect.Effect<void>
  /** The server's answer reaches the caller. */
  readonly reply: Effect.Effect<void>
  /** The caller is told `Timeout`; what the server does, or did, is another matter. */
  readonly lose: Effect.Effect<void>
  /** `execute`, then `reply`. */
  readonly pass: Effect.Effect<void>
}

/**
 * A backend, and the test's hand on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ControlledBackend {
  readonly backend: CacheBackend
  /** From now on these commands wait for the test; all of them if none is named. */
  readonly hold: (...names: ReadonlyArray<CommandName>) => Effect.Effect<void>
  /** From now on nothing is held, and what has been is passed. */
  readonly release: Effect.Effect<void>
  /** The next held command of that name that no `next` has given yet; waits for it. */
  readonly next: (name: CommandName) => Effect.Effect<Command>
  /** All held commands that are not done: the caller waits, or the server has yet to execute. */
  readonly underWay: Effect.Effect<ReadonlyArray<Command>>
  /** The names of all commands ever sent, held or not, in order. */
  readonly sent: Effect.Effect<ReadonlyArray<CommandName>>
  /** What becomes of signals; `hold` keeps them for `deliver`. Default: `deliver`. */
  readonly setPushes: (mode: "deliver" | "hold" | "lose") => Effect.Effect<void>
  /** Delivers the signals that were held, oldest first. */
  readonly deliver: Effect.Effect<void>
  /** Delivers one signal of the test's own making to all subscribers. */
  readonly signal: (signal: Signal) => Effect.Effect<void>
}

/**
 * Puts a test's hand on a backend. Unless told otherwise, everything passes.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, MemoryBackend } from "effect-larder"
 * import { ControlledBackend } from "effect-larder/testing"
 *
 * export const program = Effect.gen(function* () {
 *   const controlled = yield* ControlledBackend.make(yield* MemoryBackend.make())
 *   yield* controlled.hold("commit")
 *   const lookup = Cache.getOrCreate("key", Effect.succeed(1)).pipe(
 *     Effect.provide(Cache.fromBackend(controlled.backend))
 *   )
 *   const fiber = yield* Effect.fork(lookup)
 *   const commit = yield* controlled.next("commit")
 *   yield* commit.lose
 *   return yield* fiber
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (inner: CacheBackend): Effect.Effect<ControlledBackend> =>
  Effect.map(Effect.runtime<never>(), (runtime) => {
    const sent: Array<CommandName> = []
    let underWay: ReadonlyArray<Command> = []
    let unclaimed: ReadonlyArray<Command> = []
    let watchers: ReadonlyArray<{ name: CommandName; resume: (command: Command) => void }> = []
    let isHeld: (name: CommandName) => boolean = () => false
    let pushMode: "deliver" | "hold" | "lose" = "deliver"
    let heldSignals: ReadonlyArray<() => void> = []
    const handlers = new Set<(signal: Signal) => void>()

    const offer = (command: Command): void => {
      underWay = [...underWay, command]
      const watcher = watchers.find(({ name }) => name === command.name)
      if (watcher === undefined) {
        unclaimed = [...unclaimed, command]
        return
      }
      watchers = watchers.filter((other) => other !== watcher)
      watcher.resume(command)
    }

    const forget = (command: Command): void => {
      underWay = underWay.filter((other) => other !== command)
      unclaimed = unclaimed.filter((other) => other !== command)
    }

    const control = <A>(
      name: CommandName,
      keys: ReadonlyArray<string>,
      effect: Effect.Effect<A, BackendError>
    ): Effect.Effect<A, BackendError> =>
      // No canceller: what has been sent is out of its caller's hands.
      Effect.async<A, BackendError>((resume) => {
        sent.push(name)
        const command = makeCommand(inner.name, name, keys, effect, resume, forget)
        if (isHeld(name)) offer(command)
        else Runtime.runFork(runtime)(command.pass)
      })

    return {
      backend: {
        name: inner.name,
        capabilities: inner.capabilities,
        status: inner.status?.bind(inner),
        groupOf: inner.groupOf?.bind(inner),
        serverTime: (monotonic) => inner.serverTime(monotonic),
        keys: (start) => inner.keys(start),
        getMany: (keys) => control("getMany", keys, inner.getMany(keys)),
        lease: (key, request) => control("lease", [key], inner.lease(key, request)),
        renew: (key, token, duration) => control("renew", [key], inner.renew(key, token, duration)),
        commit: (key, token, stored, keepFor) =>
          control("commit", [key], inner.commit(key, token, stored, keepFor)),
        release: (key, token) => control("release", [key], inner.release(key, token)),
        set: (key, stored, keepFor) => control("set", [key], inner.set(key, stored, keepFor)),
        invalidate: (key) => control("invalidate", [key], inner.invalidate(key)),
        clear: (start) => control("clear", [start], inner.clear(start)),
        holder: (key) => control("holder", [key], inner.holder(key)),
        subscribe: (prefix, handler) => {
          const handle = (signal: Signal): void => {
            if (pushMode === "deliver") handler(signal)
            if (pushMode === "hold") heldSignals = [...heldSignals, () => handler(signal)]
          }
          return Effect.zipRight(
            Effect.acquireRelease(
              Effect.sync(() => handlers.add(handler)),
              () => Effect.sync(() => handlers.delete(handler))
            ),
            inner.subscribe(prefix, handle)
          )
        }
      },
      hold: (...names) =>
        Effect.sync(() => {
          isHeld = (name) => names.length === 0 || names.includes(name)
        }),
      release: Effect.suspend(() => {
        isHeld = () => false
        return Effect.forEach(underWay, (command) => command.pass, { discard: true })
      }),
      next: (name) =>
        Effect.async((resume) => {
          const found = unclaimed.find((command) => command.name === name)
          if (found === undefined) {
            const watcher = { name, resume: (command: Command) => resume(Effect.succeed(command)) }
            watchers = [...watchers, watcher]
            return Effect.sync(() => {
              watchers = watchers.filter((other) => other !== watcher)
            })
          }
          unclaimed = unclaimed.filter((command) => command !== found)
          resume(Effect.succeed(found))
          return Effect.void
        }),
      underWay: Effect.sync(() => underWay),
      sent: Effect.sync(() => [...sent]),
      setPushes: (mode) =>
        Effect.sync(() => {
          pushMode = mode
        }),
      deliver: Effect.sync(() => {
        const signals = heldSignals
        heldSignals = []
        for (const deliver of signals) deliver()
      }),
      signal: (signal) =>
        Effect.sync(() => {
          for (const handle of handlers) handle(signal)
        })
    }
  })

const makeCommand = <A>(
  backend: string,
  name: CommandName,
  keys: ReadonlyArray<string>,
  effect: Effect.Effect<A, BackendError>,
  resume: (effect: Effect.Effect<A, BackendError>) => void,
  forget: (command: Command) => void
): Command => {
  let answer: Exit.Exit<A, BackendError> | undefined
  let hasExecuted = false
  let hasSettled = false
  const settle = (command: Command, exit: Exit.Exit<A, BackendError>): void => {
    if (hasSettled) return
    hasSettled = true
    if (hasExecuted) forget(command)
    resume(exit)
  }
  const command: Command = {
    name,
    keys,
    get state() {
      return hasSettled ? "settled" : hasExecuted ? "executed" : "sent"
    },
    execute: Effect.suspend(() => {
      if (hasExecuted) return Effect.void
      hasExecuted = true
      return Effect.map(Effect.exit(effect), (exit) => {
        answer = exit
        if (hasSettled) forget(command)
      })
    }),
    reply: Effect.sync(() => {
      if (answer !== undefined) settle(command, answer)
    }),
    lose: Effect.sync(() =>
      settle(command, Exit.fail(new BackendError({ backend, command: name, reason: "Timeout" })))
    ),
    pass: Effect.suspend(() => Effect.zipRight(command.execute, command.reply))
  }
  return command
}
