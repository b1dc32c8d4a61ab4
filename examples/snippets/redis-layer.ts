import { Layer, Redacted } from "effect"
import { RedisCache, RedisClient } from "effect-larder/redis"

const ClientLive = RedisClient.layer({
  url: "rediss://redis.example.com:6380/0",
  username: "larder",
  password: Redacted.make("secret")
})

export const CacheLive = RedisCache.layer({
  prefix: "shop", // entries live at `shop:<key>`
  ttl: "10 minutes",
  lease: { duration: "5 seconds", maxHold: "5 minutes" }
}).pipe(Layer.provide(ClientLive))
