/**
 * Going on without L2: nothing is sent while its circuit is not closed.
 *
 * The core asks whether it is (`isCut`) before it asks L2 for anything. So a lookup
 * pays nothing for a server that is gone, and its flight is this process's alone.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { BackendError, type CacheBackend } from "../port/CacheBackend.js"
import { Unfibered } from "../port/unfibered.js"
import * as Breaker from "./breaker.js"
import { judgeBy } from "./circuitSettings.js"
import type { Events } from "./events.js"
import type { Log } from "./log.js"
import type { L2 } from "./path.js"
import type { Settings } from "./settings.js"

/**
 * Is the server gone, or too slow? One that says no has answered, and one that had a
 * command too late may not be what was slow. A defect is as bad as no answer.
 */
const isOutage = (error: unknown): boolean =>
  !(error instanceof BackendError) || error.reason === "Timeout" || error.reason === "Unavailable"

interface Circuit extends Pick<L2, "backend" | "breaker" | "outage"> {
  /** The same backend; its circuit is told of what is answered, and not of what fails. */
  readonly uncounted: CacheBackend
}

/** A backend under a circuit breaker, unless there is nothing to be kept from. */
export const circuitTo = (
  inner: CacheBackend,
  { breaker: options, name }: Pick<Settings, "breaker" | "name">,
  log: Log
): Effect.Effect<Circuit> => {
  const without = { backend: inner, uncounted: inner, breaker: undefined }
  if (inner.capabilities.keeps === false) return Effect.succeed({ ...without, outage: () => 0 })
  if (options === undefined) return Effect.succeed({ ...without, outage: () => undefined })
  // Noted before it may open the circuit: whoever hears of that is told why.
  const judge = judgeBy(options.isFailure ?? isOutage)
  const isFailure = (error: unknown): boolean => {
    log.note(error)
    return judge(error)
  }
  const rules = { ...options, name: options.name ?? name, isFailure }
  return Effect.map(Breaker.make(rules, "probe"), (breaker) => {
    let outages = 0
    breaker.onTransition(({ from }) => {
      if (from === "closed") outages++
    })
    const unsafeReport = (ticket: number, isFailed: boolean): void => {
      if (!isFailed) breaker.unsafeReport(ticket, false)
    }
    return {
      backend: underBreaker(inner, breaker, isFailure),
      uncounted: underBreaker(inner, { unsafeEnter: breaker.unsafeEnter, unsafeReport }, isFailure),
      breaker,
      outage: () => (breaker.unsafeState() === "closed" ? undefined : outages)
    }
  })
}

export const tellTransitions = (
  breaker: Breaker.Breaker,
  backend: CacheBackend,
  events: Events,
  log: Log
): void =>
  breaker.onTransition(({ from, to }) => {
    events.emit({ _tag: "circuit", from, to })
    if (from === "closed") {
      const error = log.lastError()?.message
      // Asked for now: one that is built late has its name by then.
      const reason = `The circuit to ${backend.name} is open${error === undefined ? "" : `: ${error}`}`
      events.emit({ _tag: "degraded", reason })
    }
    if (to === "closed") events.emit({ _tag: "recovered" })
  })

/** A backend whose commands are sent while its circuit is closed, and tell it how they ended. */
export const underBreaker = (
  inner: CacheBackend,
  breaker: Pick<Breaker.Breaker, "unsafeEnter" | "unsafeReport">,
  isFailure: (error: unknown) => boolean = isOutage
): CacheBackend => {
  const refusal = (command: string): BackendError =>
    new BackendError({ backend: inner.name, command, reason: "CircuitOpen" })

  /** One who was interrupted has learnt nothing, and has nothing to tell. */
  const tell = (ticket: number, exit: Exit.Exit<unknown, BackendError>): void => {
    if (Exit.isSuccess(exit)) return breaker.unsafeReport(ticket, false)
    if (Cause.isInterruptedOnly(exit.cause)) return
    breaker.unsafeReport(ticket, isFailure(Cause.squash(exit.cause)))
  }

  const under = <A>(
    command: string,
    effect: Effect.Effect<A, BackendError>
  ): Effect.Effect<A, BackendError> =>
    Effect.suspend(() => {
      const ticket = breaker.unsafeEnter()
      if (ticket === undefined) return Effect.fail(refusal(command))
      return Effect.matchCauseEffect(effect, {
        onFailure: (cause) => {
          tell(ticket, Exit.failCause(cause))
          return Effect.failCause(cause)
        },
        onSuccess: (value) => {
          tell(ticket, Exit.void)
          return Effect.succeed(value)
        }
      })
    })

  /** As the command itself: without a fiber, if it can do without one. */
  const getMany: CacheBackend["getMany"] = (keys) => {
    const command = inner.getMany(keys)
    if (!(command instanceof Unfibered)) return under("getMany", command)
    return new Unfibered((settle) => {
      const ticket = breaker.unsafeEnter()
      if (ticket === undefined) return settle(Exit.fail(refusal("getMany")))
      command.start((exit) => {
        tell(ticket, exit)
        settle(exit)
      })
    })
  }

  const keys: CacheBackend["keys"] = (start) =>
    Stream.suspend(() => {
      const ticket = breaker.unsafeEnter()
      return ticket === undefined
        ? Stream.fail(refusal("keys"))
        : inner.keys(start).pipe(
            Stream.tapErrorCause((cause) => Effect.sync(() => tell(ticket, Exit.failCause(cause)))),
            Stream.onEnd(Effect.sync(() => tell(ticket, Exit.void)))
          )
    })

  return {
    get name() {
      return inner.name
    },
    get capabilities() {
      return inner.capabilities
    },
    status: inner.status,
    groupOf: inner.groupOf,
    serverTime: inner.serverTime,
    subscribe: inner.subscribe,
    getMany,
    keys,
    lease: (key, request) => under("lease", inner.lease(key, request)),
    renew: (key, token, duration) => under("renew", inner.renew(key, token, duration)),
    commit: (key, token, stored, keepFor) =>
      under("commit", inner.commit(key, token, stored, keepFor)),
    release: (key, token) => under("release", inner.release(key, token)),
    set: (key, stored, keepFor) => under("set", inner.set(key, stored, keepFor)),
    invalidate: (key) => under("invalidate", inner.invalidate(key)),
    clear: (start) => under("clear", inner.clear(start)),
    holder: (key) => under("holder", inner.holder(key))
  }
}
