/**
 * A shared backend in memory: a server without a socket.
 *
 * It does what a real one does, in steps of its own: a command is sent, executed
 * later, and answered later still; what has been sent is executed even if the
 * caller has gone. Several caches over one of these behave like as many
 * processes over one server: for tests and for trying things out.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Lease from "../policy/lease.js"
import type { BackendError, CacheBackend, Push, Signal } from "../port/CacheBackend.js"
import { unsafeNow } from "../port/monotonic.js"

/**
 * How it differs from a server that is in order.
 *
 * @since 0.1.0
 * @category models
 */
export interface MemoryBackendOptions {
  /** How far the server's clock is ahead of this process's, in milliseconds; default 0. */
  readonly clockOffset?: number | undefined
  /** Are pushes delivered? Default true. */
  readonly pushes?: boolean | undefined
  /** The transitions that commands execute; tests break them on purpose. */
  readonly rules?: typeof Lease | undefined
  /** What `clear` deletes first; tests turn it round. Default: leases, then values. */
  readonly clearOrder?: ReadonlyArray<"leases" | "values"> | undefined
}

/** How many keys `clear` and `keys` look at in one step. */
const page = 10

/** Not cancelled by an interruption: what has been sent is executed. */
const later = (fiber: Fiber.RuntimeFiber<any, any>, task: () => void): void =>
  fiber.currentScheduler.scheduleTask(task, 0)

/**
 * Makes an empty server. It holds what it is told until it is garbage: it has no
 * capacity.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import { Cache, MemoryBackend } from "effect-larder"
 *
 * let loads = 0
 * const report = Cache.getOrCreate(
 *   "report",
 *   Effect.sync(() => ++loads)
 * )
 *
 * // Two processes, as it were, and one load.
 * export const program = Effect.gen(function* () {
 *   const CacheLive = Cache.fromBackend(yield* MemoryBackend.make())
 *   const inAProcess = Effect.provide(report, CacheLive)
 *   return yield* Effect.all([inAProcess, inAProcess], { concurrency: "unbounded" })
 * })
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: MemoryBackendOptions = {}): Effect.Effect<CacheBackend> =>
  Effect.sync(() => {
    const {
      clearOrder = ["leases", "values"],
      clockOffset = 0,
      pushes = true,
      rules = Lease
    } = options
    const cells = new Map<string, Lease.Cell>()
    const handlers = new Set<{
      readonly prefix: string
      readonly handle: (signal: Signal) => void
    }>()

    const command = <A>(execute: (now: number) => A): Effect.Effect<A, BackendError> =>
      Effect.withFiberRuntime((fiber) =>
        Effect.async<A>((resume) => {
          later(fiber, () => {
            const reply = execute(unsafeNow(fiber) + clockOffset)
            later(fiber, () => resume(Effect.succeed(reply)))
          })
        })
      )

    const push = (fiber: Fiber.RuntimeFiber<any, any>, message: Push): void => {
      if (!pushes) return
      for (const { handle, prefix } of handlers) {
        if (message.key.startsWith(`${prefix}:`)) later(fiber, () => handle(message))
      }
    }

    const step = <A>(
      key: string,
      transition: (cell: Lease.Cell, now: number) => Lease.Step<A>
    ): Effect.Effect<A, BackendError> =>
      Effect.withFiberRuntime((fiber) =>
        command((now) => {
          const { cell, push: message, reply } = transition(cells.get(key) ?? {}, now)
          if (Lease.isEmpty(cell)) cells.delete(key)
          else cells.set(key, cell)
          if (message !== undefined) push(fiber, { _tag: "Push", key, ...message })
          return reply
        })
      )

    /** The keys that begin with `start`, looked at page by page, as SCAN does. */
    const pages = (start: string) =>
      Stream.paginateChunkEffect(undefined as ReadonlyArray<string> | undefined, (rest) =>
        Effect.map(
          command(() => rest ?? [...cells.keys()].filter((key) => key.startsWith(start))),
          (keys) =>
            [
              Chunk.unsafeFromArray(keys.slice(0, page)),
              keys.length > page ? Option.some(keys.slice(page)) : Option.none()
            ] as const
        )
      )

    const pass = (start: string, what: "leases" | "values") =>
      Stream.runForEach(pages(start), (key) =>
        step(key, (cell, now) =>
          what === "leases"
            ? rules.revoke(cell, now, "written")
            : { cell: { ...rules.settle(cell, now), value: undefined }, reply: undefined }
        )
      )

    return {
      name: "memory",
      capabilities: { pushes, scan: true, bytes: true, shortestTtl: 0 },
      serverTime: (monotonic) => monotonic + clockOffset,
      getMany: (keys) =>
        command((now) => keys.map((key) => rules.settle(cells.get(key) ?? {}, now).value?.stored)),
      lease: (key, request) => step(key, (cell, now) => rules.lease(cell, now, request)),
      renew: (key, token, duration) =>
        step(key, (cell, now) => rules.renew(cell, now, token, duration)),
      commit: (key, token, stored, keepFor) =>
        step(key, (cell, now) => rules.commit(cell, now, token, stored, keepFor)),
      release: (key, token) => step(key, (cell, now) => rules.release(cell, now, token)),
      set: (key, stored, keepFor) =>
        step(key, (cell, now) => rules.set(cell, now, stored, keepFor)),
      invalidate: (key) => step(key, (cell, now) => rules.invalidate(cell, now)),
      clear: (start) =>
        Effect.withFiberRuntime((fiber) =>
          Effect.forEach(clearOrder, (what) => pass(start, what), { discard: true }).pipe(
            Effect.tap(() =>
              Effect.sync(() =>
                push(fiber, { _tag: "Push", key: start, token: "", reason: "cleared" })
              )
            )
          )
        ),
      keys: (start) =>
        Stream.filterEffect(pages(start), (key) =>
          command((now) => rules.settle(cells.get(key) ?? {}, now).value !== undefined)
        ),
      holder: (key) =>
        command((now) => {
          const { lease } = rules.settle(cells.get(key) ?? {}, now)
          return lease === undefined
            ? Option.none()
            : Option.some({ token: lease.token, remaining: lease.until - now })
        }),
      subscribe: (prefix, handle) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const handler = { prefix, handle }
            handlers.add(handler)
            handle({ _tag: "Subscribed" })
            return handler
          }),
          (handler) => Effect.sync(() => handlers.delete(handler))
        )
    }
  })
