/**
 * A backend that may have to be built later: as long as it is not there, its commands
 * find no server.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  BackendError,
  type BackendStatus,
  CacheBackend,
  type Signal
} from "../port/CacheBackend.js"

/** A schedule without delays, and a layer that fails at once, would leave no time for anybody. */
const shortestPause = Duration.millis(100)

/** What is told of the subscriptions that were asked for before it was there. */
interface Listening {
  readonly prefix: string
  readonly handler: (signal: Signal) => void
  readonly scope: Scope.Scope
}

/**
 * Builds it, and if that fails goes on trying behind, by the schedule. A defect is not
 * tolerated: it is a wrong setting, which does not become right.
 */
export const build = <E, R>(
  layer: Layer.Layer<CacheBackend, E, R>,
  recovery: Schedule.Schedule<unknown>
): Effect.Effect<CacheBackend, never, R | Scope.Scope> =>
  Effect.gen(function* () {
    // Made now, it is closed last: also of one that comes late, what the cache has to put in
    // order when it closes is still heard.
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const attempt = Effect.map(buildIn(scope, layer), Context.get(CacheBackend))
    const first = yield* Effect.exit(attempt)
    if (Exit.isSuccess(first)) return first.value
    const failure = Cause.failureOrCause(first.cause)
    if (failure._tag === "Right") return yield* Effect.failCause(failure.right)
    const late = new Late(failure.left)
    yield* Effect.logWarning(`The cache goes on without its backend: ${late.reason}`)
    // The attempt that has failed is the first of those that the schedule follows.
    let next: typeof attempt = Effect.fail(failure.left)
    const again = Effect.suspend(() => {
      const now = next
      next = attempt
      return now
    })
    yield* again.pipe(
      Effect.tapError((error) => Effect.sync(() => late.failed(error))),
      Effect.retry(
        Schedule.modifyDelay(recovery, (_, delay) => Duration.max(delay, shortestPause))
      ),
      Effect.flatMap((backend) => late.arrived(backend)),
      Effect.catchAllCause((cause) => {
        late.givenUp()
        return Effect.logError("The backend of a cache is given up", cause)
      }),
      Effect.interruptible,
      Effect.forkScoped
    )
    return late
  })

/** Of what was built in vain nothing is left. */
const buildIn = <E, R>(scope: Scope.Scope, layer: Layer.Layer<CacheBackend, E, R>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.fork(scope, ExecutionStrategy.sequential), (own) =>
      Effect.onError(restore(Layer.buildWithScope(layer, own)), (cause) =>
        Scope.close(own, Exit.failCause(cause))
      )
    )
  )

/** Does what the one does that is there by now. */
class Late implements CacheBackend {
  private current: CacheBackend
  private isThere = false
  private isGivenUp = false
  private readonly listening: Array<Listening> = []

  constructor(private error: unknown) {
    this.current = absent(() => ({
      address: "an address not reached yet",
      isReachable: false,
      reason: this.reason,
      isGivenUp: this.isGivenUp
    }))
  }

  get reason(): string {
    return this.error instanceof Error ? this.error.message : String(this.error)
  }

  failed(error: unknown): void {
    this.error = error
  }

  givenUp(): void {
    this.isGivenUp = true
  }

  arrived(backend: CacheBackend): Effect.Effect<void> {
    this.current = backend
    this.isThere = true
    return Effect.forEach(
      backend.capabilities.pushes ? this.listening : [],
      ({ handler, prefix, scope }) =>
        Effect.catchAllCause(Scope.extend(backend.subscribe(prefix, handler), scope), (cause) =>
          Effect.logDebug("Who waits for another process polls", cause)
        ),
      { discard: true }
    )
  }

  get name() {
    return this.current.name
  }
  get capabilities() {
    return this.current.capabilities
  }
  readonly status = () => this.current.status?.() ?? { address: this.name, isReachable: true }
  readonly groupOf = (key: string) => this.current.groupOf?.(key)
  readonly serverTime = (monotonic: number) => this.current.serverTime(monotonic)
  readonly getMany: CacheBackend["getMany"] = (keys) => this.current.getMany(keys)
  readonly lease: CacheBackend["lease"] = (...args) => this.current.lease(...args)
  readonly renew: CacheBackend["renew"] = (...args) => this.current.renew(...args)
  readonly commit: CacheBackend["commit"] = (...args) => this.current.commit(...args)
  readonly release: CacheBackend["release"] = (...args) => this.current.release(...args)
  readonly set: CacheBackend["set"] = (...args) => this.current.set(...args)
  readonly invalidate: CacheBackend["invalidate"] = (key) => this.current.invalidate(key)
  readonly clear: CacheBackend["clear"] = (start) => this.current.clear(start)
  readonly keys: CacheBackend["keys"] = (start) => this.current.keys(start)
  readonly holder: CacheBackend["holder"] = (key) => this.current.holder(key)
  /** In one step with the look whether it is there: who listens to the absent one hears nothing. */
  readonly subscribe: CacheBackend["subscribe"] = (prefix, handler) =>
    Effect.flatMap(Effect.scope, (scope) => {
      if (this.isThere) return this.current.subscribe(prefix, handler)
      this.listening.push({ prefix, handler, scope })
      return Effect.void
    })
}

/** Capable of all that a backend can be capable of, once it is there. */
const absent = (status: () => BackendStatus): CacheBackend => {
  const fail = (command: string) => () =>
    new BackendError({ backend: "late", command, reason: "Unavailable" })
  return {
    name: "late",
    capabilities: { pushes: true, scan: true, bytes: true, shortestTtl: 1 },
    status,
    serverTime: (monotonic) => monotonic,
    getMany: fail("getMany"),
    lease: fail("lease"),
    renew: fail("renew"),
    commit: fail("commit"),
    release: fail("release"),
    set: fail("set"),
    invalidate: fail("invalidate"),
    clear: fail("clear"),
    keys: () => Stream.fail(fail("keys")()),
    holder: fail("holder"),
    subscribe: () => Effect.void
  }
}
