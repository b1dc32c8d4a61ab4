/** Backends and caches over real servers, for suites. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { RedisClient, type RedisClientOptions } from "effect-larder/redis"
import { afterAll, beforeAll } from "vitest"
import * as RedisBackend from "../../src/redis/RedisBackend.js"
import type { CacheBackend } from "../../src/port/CacheBackend.js"

/** Something that lives as long as the tests of a file do. */
export const shared = async <A, E>(make: Effect.Effect<A, E, Scope.Scope>): Promise<A> => {
  const scope = await Effect.runPromise(Scope.make())
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return Effect.runPromise(Scope.extend(make, scope))
}

/** As `shared`, for a suite that may be skipped: nothing is started before its first test. */
export const started = <A, E>(make: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A> => {
  let made: A | undefined
  const scope = Effect.runSync(Scope.make())
  beforeAll(async () => {
    made = await Effect.runPromise(Scope.extend(make, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  return Effect.suspend(() =>
    made === undefined ? Effect.dieMessage("before its suite has begun") : Effect.succeed(made)
  )
}

export const backendOf = (
  client: Layer.Layer<RedisClient>
): Effect.Effect<CacheBackend, never, Scope.Scope> =>
  Effect.map(Layer.build(client), (context) =>
    RedisBackend.make(context.unsafeMap.get(RedisClient.key))
  )

export const backendAt = (
  settings: RedisClientOptions
): Effect.Effect<CacheBackend, never, Scope.Scope> => backendOf(RedisClient.layer(settings))
