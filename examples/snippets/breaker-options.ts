import { Layer, Schedule } from "effect"
import { RedisCache, RedisClient } from "effect-larder/redis"

export const CacheLive = RedisCache.layer({
  breaker: {
    failureThreshold: 3,
    // 5 seconds, then 10, 20, and from there on 30 at most; not all processes at once
    openFor: Schedule.exponential("5 seconds").pipe(
      Schedule.union(Schedule.spaced("30 seconds")),
      Schedule.jittered
    )
  }
}).pipe(Layer.provide(RedisClient.layer()))
