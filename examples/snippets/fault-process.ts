import { Effect } from "effect"
import { FaultProcess } from "effect-larder/testing"

const RedisLive = FaultProcess.layer({
  file: "redis-server",
  args: (port) => ["--port", `${port}`, "--bind", "127.0.0.1", "--save", ""],
  install: "apt-get install redis-server"
})

export const program = Effect.gen(function* () {
  const redis = yield* FaultProcess
  yield* redis.stop // whoever asks at redis.port waits
  yield* redis.continue
  yield* redis.kill
  yield* redis.restart
}).pipe(Effect.provide(RedisLive))
