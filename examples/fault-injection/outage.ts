// A network that swallows everything, between a program and its Redis; and what callers notice.
import { Console, Effect, Layer, Logger, LogLevel, Schedule } from "effect"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { FaultProxy } from "effect-larder/testing"

const { hostname, port } = new URL(process.env["REDIS_URL"] ?? "redis://localhost:6379")

// #region program
const ProxyLive = FaultProxy.layer({ host: hostname, port: Number(port || 6379) })

const CacheLive = Layer.unwrapEffect(
  Effect.map(FaultProxy, ({ url }) =>
    RedisCache.layer({ prefix: "outage" }).pipe(
      Layer.provide(RedisClient.layer({ url, commandTimeout: "200 millis" }))
    )
  )
)

const program = Effect.gen(function* () {
  const proxy = yield* FaultProxy
  const price = Cache.getOrCreate("bread", Effect.succeed(3))
  const pending = Effect.map(Cache.health, (health) => health.pendingInvalidations)
  yield* price

  yield* proxy.blackHole()
  yield* Console.log(`nobody answers: ${yield* price}`)
  yield* Cache.invalidate("bread")
  yield* Console.log(`pending: ${yield* pending}`)

  yield* proxy.heal
  yield* Effect.repeat(pending, { until: (it) => it === 0, schedule: Schedule.spaced("20 millis") })
  yield* Console.log("healed, and nothing is pending")
})
// #endregion

const LogLive = Logger.minimumLogLevel(LogLevel.None)
const MainLive = Layer.mergeAll(Layer.provideMerge(CacheLive, ProxyLive), LogLive)

Effect.runPromise(Effect.provide(program, MainLive))
