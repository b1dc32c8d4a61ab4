/** Locks over a store in memory, of which a test replaces what it wants. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { BackendError, DistributedLock, type LockBackend } from "effect-larder"
import * as MemoryLockBackend from "../../src/memory/MemoryLockBackend.js"

export const broken = new BackendError({ backend: "test", command: "lock", reason: "Timeout" })

/** One process over a store; `close` ends its layer. */
const startProcess = (backend: LockBackend) =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (it) => Scope.close(it, Exit.void))
    const context = yield* Layer.buildWithScope(DistributedLock.fromBackend(backend), scope)
    return {
      locks: Context.get(context, DistributedLock),
      close: Scope.close(scope, Exit.void)
    }
  })

export const startWith = (replace: (backend: LockBackend) => Partial<LockBackend> = () => ({})) =>
  Effect.flatMap(MemoryLockBackend.make, (backend) =>
    Effect.map(startProcess({ ...backend, ...replace(backend) }), (process) => ({
      ...process,
      backend
    }))
  )

/** Lets all fibers go as far as they can. */
export const settleDown = Effect.yieldNow().pipe(Effect.repeatN(50))
