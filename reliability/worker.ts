/** One of several processes over a server that is not always there. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { serve } from "../test/servers/serve.js"
import { counting } from "./leftovers.js"
import {
  commandTimeout,
  failureThreshold,
  leaseDuration,
  openFor,
  processes,
  readSettings,
  successThreshold
} from "./settings.js"
import { startTraffic } from "./traffic.js"
import { overRedis } from "./truth.js"

const silently = Effect.provide(Logger.remove(Logger.defaultLogger))

const make = counting((leftovers) =>
  Effect.gen(function* () {
    const { here, truth, url } = readSettings()
    const client = RedisClient.layer({ url, commandTimeout })
    const options = {
      beta: 0,
      lease: { duration: leaseDuration },
      breaker: { failureThreshold, openFor, successThreshold }
    }
    const cache = yield* Layer.build(Layer.provide(RedisCache.layer(options), client))
    const database = yield* overRedis(truth)
    // So that its connection stands.
    yield* database.promised("")
    const initial = yield* leftovers
    const traffic = yield* Scope.make()
    const report = yield* startTraffic({ truth: database, here, writers: processes }).pipe(
      Effect.provide(cache),
      Scope.extend(traffic)
    )
    return {
      report: () => Effect.succeed(report),
      state: () =>
        Effect.zipWith(Cache.health, Cache.counters, ({ healthy }, { backendErrors }) => ({
          healthy,
          backendErrors
        })).pipe(Effect.provide(cache)),
      /** No callers any more; the cache goes on. */
      rest: () => Scope.close(traffic, Exit.void),
      /** Since before there were any. */
      leftovers: () =>
        Effect.map(leftovers, ({ fibers, heap, sockets }) => ({
          heap,
          fibers: fibers - initial.fibers,
          sockets: sockets - initial.sockets
        })),
      /** Looks up the key, whose creator takes so long. */
      build: ({ key, millis }: { readonly key: string; readonly millis: number }) =>
        Effect.provide(Cache.getOrCreate(key, Effect.delay(Effect.succeed(here), millis)), cache)
    }
  })
)

export type ProcessHandlers = Effect.Effect.Success<typeof make>

serve(silently(make))
