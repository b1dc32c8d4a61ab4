/** One of several processes that share a cache in Redis: sends crowds there, and says what they got. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { Redis } from "ioredis"
import { post, serve } from "../servers/serve.js"
import { seeded } from "./chance.js"
import { loadsKey, readSettings } from "./processes.js"

/** Callers of one key, or of several that begin like it. */
export interface Crowd {
  readonly key: string
  /** Default 1: the key itself. */
  readonly keys?: number
  readonly callers: number
  /** How long a creator takes, at least and at most. */
  readonly millis: readonly [least: number, most: number]
  /** Callers come in the course of so many milliseconds, by the seed. */
  readonly within?: number
  readonly seed?: number
  readonly creator?: "succeeds" | "fails" | "fails, and that is cached"
  readonly refresh?: boolean
}

/** What the callers got, and how often: `value 1`, say, for the number of a load. */
export type Results = Readonly<Record<string, number>>

class Refusal extends Schema.TaggedError<Refusal>()("Refusal", { load: Schema.Number }) {}

const guarded = CacheRegion.make({ name: "guarded", value: Schema.Number, error: Refusal })

const textOf = (exit: Exit.Exit<number, Refusal>): string =>
  Exit.match(exit, {
    onSuccess: (value) => `value ${value}`,
    onFailure: (cause) =>
      cause._tag === "Fail" && cause.error instanceof Refusal
        ? `refusal ${cause.error.load}`
        : String(cause)
  })

const make = Effect.gen(function* () {
  const { commandTimeout, lease, prefix, url } = readSettings()
  const client = RedisClient.layer({ url, commandTimeout })
  const cache = yield* Layer.build(Layer.provide(RedisCache.layer({ prefix, lease }), client))
  const counting = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(url)),
    (connection) => Effect.sync(() => connection.disconnect())
  )
  const gates = new Map<string, Deferred.Deferred<void>>()
  const gateOf = (key: string) => {
    const gate = gates.get(key) ?? Deferred.unsafeMake<void>(FiberId.none)
    gates.set(key, gate)
    return gate
  }

  /** A load: its number among all processes, on which it has happened. */
  const count = (key: string) =>
    Effect.promise(async () => {
      const counter = loadsKey(prefix, key)
      const load = await counting.incr(counter)
      void counting.expire(counter, 600)
      return load
    }).pipe(Effect.tap((load) => post({ load, key })))

  const crowd = (given: Crowd): Effect.Effect<Results> =>
    Effect.gen(function* () {
      const { callers, creator = "succeeds", refresh, within = 0 } = given
      const random = seeded(given.seed ?? 0)
      const [least, most] = given.millis
      const results: Record<string, number> = {}
      const caller = (key: string, after: number, millis: number) => {
        const load = Effect.zipLeft(count(key), Effect.sleep(millis))
        const failing = Effect.flatMap(load, (load) => new Refusal({ load }))
        const options = refresh === undefined ? {} : { refresh }
        const lookup: Effect.Effect<number, Refusal, Cache> =
          creator === "succeeds"
            ? Cache.getOrCreate(key, load, options)
            : creator === "fails"
              ? Cache.getOrCreate(key, failing, options)
              : guarded.getOrCreate(key, failing, options)
        return Effect.exit(after === 0 ? lookup : Effect.delay(lookup, after)).pipe(
          Effect.map((exit) => {
            const text = textOf(exit)
            results[text] = (results[text] ?? 0) + 1
          })
        )
      }
      const all = Array.from({ length: given.keys ?? 1 }, (_, index) => index).flatMap((index) => {
        const key = given.keys === undefined ? given.key : `${given.key}-${index}`
        return Array.from({ length: callers }, () =>
          caller(key, Math.floor(random() * within), least + random() * (most - least))
        )
      })
      yield* Effect.all(all, { concurrency: "unbounded", discard: true })
      return results
    }).pipe(Effect.provide(cache))

  /** A lookup of the first key, whose creator asks for the next one, and so on. */
  const nested = ([key, ...rest]: ReadonlyArray<string>, isOutermost = true): Nested =>
    key === undefined
      ? Effect.succeed("")
      : Cache.getOrCreate(
          key,
          Effect.zipRight(
            isOutermost ? Effect.zipRight(count(key), Deferred.await(gateOf(key))) : count(key),
            Effect.map(nested(rest, false), (inner) => key + inner)
          )
        )

  return {
    crowd,
    counters: () => Effect.provide(Cache.counters, cache),
    invalidate: (key: string) => Effect.provide(Cache.invalidate(key), cache),
    nested: (keys: ReadonlyArray<string>) => Effect.provide(nested(keys), cache),
    /** The outermost creator of `nested` goes on. */
    openGate: (key: string) => Deferred.succeed(gateOf(key), undefined)
  }
})

type Nested = Effect.Effect<string, never, Cache>

export type ProcessHandlers = Effect.Effect.Success<typeof make>

serve(make)
