import { Console, Effect, Layer } from "effect"
import { DistributedLock } from "effect-larder"
import { RedisClient, RedisLock } from "effect-larder/redis"
import { Redis } from "ioredis"

const redis = new Redis(process.env["REDIS_URL"] ?? "redis://localhost:6379")
const LockLive = RedisLock.layer.pipe(Layer.provide(RedisClient.fromIORedis(redis)))

let stock = 1
const sell = Effect.gen(function* () {
  const found = stock
  yield* Effect.sleep("50 millis")
  stock = Math.max(0, found - 1)
  return found > 0 ? "sold" : "sold out"
}).pipe(DistributedLock.withLock("apples", { duration: "10 seconds" }))

const inventory = Effect.gen(function* () {
  // As if the server had lost its data.
  yield* Effect.promise(() => redis.del("larder!lock:{larder:apples}"))
  for (let step = 1; step <= 10; step++) yield* Effect.sleep("100 millis")
  yield* Console.log("all 10 steps are done")
}).pipe(DistributedLock.withLock("apples", { duration: "600 millis" }))

const program = Effect.gen(function* () {
  const sales = yield* Effect.all([sell, sell, sell], { concurrency: "unbounded" })
  yield* Console.log(`one apple, three customers: ${sales.toSorted().join(", ")}`)

  const error = yield* Effect.flip(inventory)
  yield* Console.log(error.message)
})

Effect.runPromise(program.pipe(Effect.provide(LockLive))).finally(() => redis.disconnect())
