import { Cause, Console, Effect, Exit, Layer } from "effect"
import { Cache } from "effect-larder"
import { RedisCacheLive, RedisClient } from "effect-larder/redis"

const program = Effect.gen(function* () {
  const built = yield* Effect.exit(Effect.scoped(Layer.build(RedisClient.layer())))
  yield* Console.log(Exit.isFailure(built) ? String(Cause.squash(built.cause)) : "built")
  yield* Console.log(yield* Cache.getOrCreate("answer", Effect.succeed(42)))
})

Effect.runPromise(program.pipe(Effect.provide(RedisCacheLive)))
