/** What a test of a lock has in hand: two processes, and a name that nobody else uses. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { tokens } from "../../../core/tokens.js"
import { DistributedLock, type Held, type LockOptions } from "../../../DistributedLock.js"
import type { LockTimeout, LockUnavailable } from "../../../port/LockBackend.js"
import { expectThat } from "../expectation.js"

/** Runs an effect with the locks of one process. */
export type Process = <A, E, R>(
  effect: Effect.Effect<A, E, R>
) => Effect.Effect<A, E, Exclude<R, DistributedLock>>

export interface Subject {
  readonly here: Process
  /** Another process, or the same where locks are those of a process. */
  readonly there: Process
  readonly name: (of?: string) => string
}

const nextId = /* @__PURE__ */ tokens()

export const makeSubject = <E>(
  layer: Layer.Layer<DistributedLock, E>,
  isShared: boolean
): Effect.Effect<Subject, E, Scope.Scope> =>
  Effect.gen(function* () {
    const id = nextId()
    const process = (context: Context.Context<DistributedLock>): Process => Effect.provide(context)
    const here = yield* Layer.build(layer)
    return {
      here: process(here),
      there: process(isShared ? yield* Layer.build(layer) : here),
      name: (of = "lock") => `conformance-${id}-${of}`
    }
  })

/** Takes it and keeps it, until it is told to give it back. */
export const take = (name: string, options?: LockOptions) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (it) => Scope.close(it, Exit.void))
    const held = yield* Scope.extend(DistributedLock.acquire(name, options), scope)
    return { held, giveBack: Scope.close(scope, Exit.void) }
  })

/** As `take` does, in a process. */
export type Taking = Effect.Effect<
  { readonly giveBack: Effect.Effect<void> },
  LockTimeout | LockUnavailable,
  Scope.Scope
>

/** Takes it, if it is free, and gives it back at once. */
export const isFree = (name: string) =>
  Effect.scoped(Effect.map(DistributedLock.tryAcquire(name), Option.isSome))

export const expectGrowth = (what: string, later: Held, earlier: Held) =>
  expectThat(what, later.fence > earlier.fence, `more than ${earlier.fence}`, String(later.fence))

/** What lets tests see that two are never in it at once. */
export interface Room {
  readonly enter: Effect.Effect<void>
  readonly most: () => number
  readonly visits: () => number
}

export const makeRoom = (stay: number): Room => {
  let [inside, most, visits] = [0, 0, 0]
  return {
    enter: Effect.acquireUseRelease(
      Effect.sync(() => {
        visits++
        most = Math.max(most, ++inside)
      }),
      () => Effect.sleep(stay),
      () => Effect.sync(() => inside--)
    ),
    most: () => most,
    visits: () => visits
  }
}
