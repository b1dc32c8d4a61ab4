/** The service of a distributed lock, over any backend. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import { type LockBackend, LockLost, type LockUnavailable } from "../port/LockBackend.js"
import { ask, claimOf, giveBack, type Held, letGo, type LockOptions, type Locks } from "./claim.js"
import { type AcquireError, waitFor, type WaitOptions } from "./queueing.js"
import { Renewals } from "./renewal.js"
import { tokens } from "./tokens.js"
import { Turns } from "./turns.js"
import { Waiters } from "./waiting.js"

export interface Service {
  readonly tryAcquire: (
    name: string,
    options?: LockOptions
  ) => Effect.Effect<Option.Option<Held>, LockUnavailable, Scope.Scope>
  readonly acquire: (
    name: string,
    options?: WaitOptions
  ) => Effect.Effect<Held, AcquireError, Scope.Scope>
  readonly withLock: (
    name: string,
    options?: WaitOptions
  ) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | AcquireError | LockLost, R>
}

/** A method that throws when it is called fails like others. */
const guarded = (inner: LockBackend): LockBackend => ({
  name: inner.name,
  acquire: (name, request) => Effect.suspend(() => inner.acquire(name, request)),
  renew: (name, token, duration) => Effect.suspend(() => inner.renew(name, token, duration)),
  release: (name, token) => Effect.suspend(() => inner.release(name, token)),
  subscribe: (handler) => Effect.suspend(() => inner.subscribe(handler))
})

export const make = (unguarded: LockBackend): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const run = Runtime.runFork(yield* Effect.runtime<never>())
    const waiters = new Waiters()
    const clock = yield* Effect.clock
    const backend = guarded(unguarded)
    const locks: Locks = {
      backend,
      clock,
      scope,
      waiters,
      turns: new Turns(),
      renewals: new Renewals(
        clock,
        {
          renew: ({ key, terms, token }) => backend.renew(key, token, terms.lasts),
          onFault: ({ key }, cause) =>
            Effect.logDebug(`The lock ${JSON.stringify(key)} could not be renewed`, cause),
          onLost: ({ key, owner, token }, reason) => {
            owner.happened(new LockLost({ name: key, reason }))
            // A renewal that is still on its way would keep others out for nobody.
            if (reason === "Silent") run(giveBack(backend, key, token))
          }
        },
        (running) => run(running)
      ),
      nextToken: tokens()
    }
    yield* Scope.addFinalizer(scope, locks.renewals.stop)
    yield* Effect.catchAllCause(
      backend.subscribe((name, token) =>
        waiters.hear({ _tag: "Push", key: name, token, reason: "ended" })
      ),
      (cause) => Effect.logDebug("Who waits for a lock polls", cause)
    )
    return {
      tryAcquire: (name, options) =>
        Effect.map(
          Effect.acquireRelease(
            Effect.suspend(() => ask(claimOf(locks, name, options), false)),
            (answer) => (answer._tag === "Held" ? Effect.void : letGo(answer))
          ),
          (answer) => (answer._tag === "Held" ? Option.none() : Option.some(answer.held))
        ),
      acquire: (name, options) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.map(
            Effect.acquireRelease(waitFor(locks, name, options, restore), letGo),
            ({ held }) => held
          )
        ),
      withLock: (name, options) => (self) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(waitFor(locks, name, options, restore), (grant) =>
            Effect.ensuring(grant.renewed.owner.guard(self, restore), letGo(grant))
          )
        )
    }
  })
