/**
 * One connection that hears pushes, for all caches of a client.
 *
 * It is pinged, since a connection that has died in silence looks like one on
 * which nothing is said; whoever listens is told of every loss.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { Redis } from "ioredis"
import type { BackendError, Push, Signal } from "../port/CacheBackend.js"
import { fault, isForbidden, send } from "./driver.js"
import { realSleep } from "./link.js"
import { channelOf, fromWire } from "./wire.js"

const pingEvery = "5 seconds"
const reconnectAfter = Effect.flatMap(Random.nextRange(100, 400), realSleep)

type Handler = (signal: Signal) => void

export interface Subscriptions {
  readonly subscribe: (
    prefix: string,
    handler: Handler
  ) => Effect.Effect<void, BackendError, Scope.Scope>
}

const reasons: Readonly<Record<string, Push["reason"]>> = {
  s: "stored",
  e: "ended",
  w: "written",
  c: "cleared"
}

/** The text of a push: a letter for the reason, the token, a blank, and the key. */
export const pushText = (reason: Push["reason"], token: string, wireKey: string): string =>
  `${reason.charAt(0)}${token} ${wireKey}`

/** Undefined for what is none of ours. */
const parse = (text: string): Push | undefined => {
  const reason = reasons[text.charAt(0)]
  const blank = text.indexOf(" ")
  if (reason === undefined || blank < 0) return undefined
  return {
    _tag: "Push",
    reason,
    token: text.slice(1, blank),
    key: fromWire(text.slice(blank + 1))
  }
}

/**
 * @param connect opens a connection of its own, which does not connect again by itself
 * @param isUp is there a server? Otherwise nobody waits for the first attempt
 */
export const make = (
  connect: () => Redis,
  isUp: () => boolean
): Effect.Effect<Subscriptions, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const channels = new Map<string, Set<Handler>>()
    let current: Redis | undefined
    let isRunning = false
    const forbidden = new Set<string>()

    const tell = (channel: string, signal: Signal): void =>
      channels.get(channel)?.forEach((handle) => handle(signal))
    const tellAll = (signal: Signal): void => {
      for (const channel of channels.keys()) tell(channel, signal)
    }

    const join = (
      connection: Redis,
      channel: string,
      tellOf: Handler = (signal) => tell(channel, signal)
    ): Effect.Effect<void, BackendError> =>
      Effect.async<void, BackendError>((resume) => {
        connection.subscribe(channel).then(
          () => resume(Effect.void),
          (error) => resume(Effect.fail(fault("subscribe", error)))
        )
      }).pipe(
        Effect.tap(() => Effect.sync(() => tellOf({ _tag: "Subscribed" }))),
        Effect.catchIf(isForbidden, () => {
          if (forbidden.has(channel)) return Effect.void
          forbidden.add(channel)
          return Effect.logWarning(
            `Redis does not let this user subscribe to ${channel}: those who wait for another ` +
              `process poll. Remedy: ACL SETUSER <user> &${channel}`
          )
        })
      )

    /** One connection, until it is lost. */
    const listen = (hasJoined: Deferred.Deferred<void, BackendError>) =>
      Effect.gen(function* () {
        const lost = yield* Deferred.make<never, BackendError>()
        const connection = yield* Effect.acquireRelease(Effect.sync(connect), (it) =>
          Effect.sync(() => it.disconnect())
        )
        const lose = (error: unknown) =>
          Deferred.unsafeDone(lost, Effect.fail(fault("subscribe", error)))
        connection.on("error", lose)
        connection.on("close", () => lose(new Error("The connection was lost")))
        connection.on("message", (channel: string, text: string) => {
          const push = parse(text)
          if (push !== undefined) tell(channel, push)
        })
        yield* Effect.tryPromise({
          try: () => connection.connect(),
          catch: (error) => fault("subscribe", error)
        })
        yield* Effect.acquireRelease(
          Effect.sync(() => {
            current = connection
          }),
          () =>
            Effect.sync(() => {
              current = undefined
              tellAll({ _tag: "Lost" })
            })
        )
        yield* Effect.forEach(channels.keys(), (channel) => join(connection, channel), {
          discard: true
        })
        yield* Deferred.succeed(hasJoined, undefined)
        const pinging = Effect.forever(
          Effect.zipRight(realSleep(pingEvery), send(connection, "subscribe", "PING", []))
        )
        return yield* Effect.raceFirst(Deferred.await(lost), pinging)
      }).pipe(Effect.scoped)

    const run = (hasJoined: Deferred.Deferred<void, BackendError>): Effect.Effect<never> =>
      listen(hasJoined).pipe(
        Effect.catchAllCause((cause) => Deferred.failCause(hasJoined, cause)),
        Effect.zipRight(reconnectAfter),
        Effect.forever
      )

    const addHandler = (channel: string, handler: Handler) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const known = channels.get(channel)
          if (known === undefined) channels.set(channel, new Set([handler]))
          else known.add(handler)
        }),
        () =>
          Effect.sync(() => {
            const left = channels.get(channel)
            left?.delete(handler)
            if (left?.size !== 0) return
            channels.delete(channel)
            current?.unsubscribe(channel).catch(() => {})
          })
      )

    return {
      subscribe: (prefix, handler) =>
        Effect.gen(function* () {
          const channel = channelOf(prefix)
          yield* addHandler(channel, handler)
          if (current !== undefined) return yield* join(current, channel, handler)
          if (isRunning) return
          isRunning = true
          const hasJoined = yield* Deferred.make<void, BackendError>()
          yield* Effect.forkIn(run(hasJoined), scope)
          if (isUp()) yield* Deferred.await(hasJoined)
        })
    }
  })
