/** The caches that a test runs on, and the crowds that it sends there. */
import * as Array from "effect/Array"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import {
  Cache,
  type CacheBackend,
  type CacheEvent,
  MemoryBackend,
  MemoryCache
} from "effect-larder"
import { settleDown } from "../protocol/world.js"

export type Options = NonNullable<Parameters<typeof Cache.fromBackend>[1]>

/** A cache of one kind. Early refresh is off unless asked for: tests must not hang on chance. */
export interface Kind {
  readonly name: string
  readonly layer: (options?: Options) => Layer.Layer<Cache>
}

export const memory: Kind = {
  name: "memory",
  layer: (options) => MemoryCache.layer({ beta: 0, ...options })
}

const strictMemory: Kind = {
  name: "strict memory",
  layer: (options) => MemoryCache.layer({ beta: 0, strict: true, ...options })
}

export const shared: Kind = {
  name: "a shared backend",
  layer: (options) =>
    Layer.unwrapEffect(
      Effect.map(MemoryBackend.make(), (backend) =>
        Cache.fromBackend(backend, { beta: 0, ...options })
      )
    )
}

export const kinds: ReadonlyArray<Kind> = [memory, strictMemory, shared]

/** Those that refuse what JSON would lose. */
export const refusing: ReadonlyArray<Kind> = [strictMemory, shared]

/** Those that behave alike unless a value cannot be stored. */
export const tiers: ReadonlyArray<Kind> = [memory, shared]

type Provide = <A, E, R>(
  effect: Effect.Effect<A, E, R | Cache>
) => Effect.Effect<A, E, Exclude<R, Cache>>

/** A cache that lives as long as the test, beside others over the same backend. */
export const startCache = (layer: Layer.Layer<Cache>): Effect.Effect<Provide, never, Scope.Scope> =>
  Effect.map(Layer.build(layer), (context) =>
    Effect.provideService(Cache, Context.get(context, Cache))
  )

/** Another process on the same server. */
export const startProcess = (backend: CacheBackend, options?: Options) =>
  startCache(Cache.fromBackend(backend, { beta: 0, ...options }))

/** A creator, and how often it has been run. */
export const counting = <A, E, R>(create: Effect.Effect<A, E, R>) => {
  const counted = {
    runs: 0,
    create: Effect.suspend(() => {
      counted.runs++
      return create
    })
  }
  return counted
}

/** The users' keys of live entries, in order. */
export const keys = Effect.map(Stream.runCollect(Cache.keys()), (found) =>
  Chunk.toArray(found).toSorted()
)

/** So many callers at once; what each of them got. */
export const crowd = <A, E, R>(size: number, caller: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.range(1, size), () => Effect.exit(caller), { concurrency: "unbounded" })

/**
 * Yields here and there, by the seed: after one step in twenty. A yield takes a dozen steps of its
 * own, so that with many more of them nothing would ever go on. To be used with the live clock:
 * the test clock's own fibers do not bear it.
 */
export const yieldingAnywhere = (seed: number): Scheduler.Scheduler => {
  const inner = new Scheduler.MixedScheduler(2_048)
  let state = seed
  return {
    shouldYield: () => {
      state = (state * 48_271) % 2_147_483_647
      return state % 20 === 0 ? 0 : false
    },
    scheduleTask: (task, priority) => inner.scheduleTask(task, priority)
  }
}

/** What the cache reports from here on. */
export const listening = Effect.gen(function* () {
  const events: Array<CacheEvent> = []
  yield* Effect.forkScoped(
    Stream.runForEach(Cache.events, (event) => Effect.sync(() => events.push(event)))
  )
  yield* settleDown
  return events
})

/** The log lines of an effect, from warnings up. */
export const withLog = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<string>], E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    const logger = Logger.make(({ logLevel, message }) => {
      if (logLevel.ordinal >= 30_000) lines.push(Array.ensure(message).map(String).join(" "))
    })
    return Effect.map(Effect.provide(effect, Logger.add(logger)), (value) => [value, lines])
  })
