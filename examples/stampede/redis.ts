// A Redis for the demo: one of its own, or else the environment's.
import { Data, Effect, type Scope } from "effect"
import { command, type RedisServer, startRedis } from "../../test/servers/redis.js"

/** Says why, and how to get one. */
export class NoRedis extends Data.TaggedError("NoRedis")<{ readonly message: string }> {}

const noRedis = (why: string) =>
  new NoRedis({
    message: `That needs a Redis server, and ${why}. Get one with

  apt-get install redis-server

or with

  docker run --rm -d -p 6379:6379 redis:7
  REDIS_URL=redis://localhost:6379 npm run demo`
  })

/**
 * Found on this machine, or fetched out of Debian's packages: test/servers/binaries.ts. Without a
 * network that may take long to fail, and cannot be called off.
 */
const own = startRedis({ own: true }).pipe(
  Effect.disconnect,
  Effect.timeout("1 minute"),
  Effect.mapError((error) =>
    error._tag === "ServerFailed"
      ? noRedis("the one on this machine does not start")
      : noRedis("there is none here, nor could one be\nfetched from Debian's packages")
  )
)

const ofTheEnvironment = Effect.gen(function* () {
  const redis = yield* startRedis()
  yield* command(redis, "PING")
  return redis
}).pipe(Effect.mapError(() => noRedis("nobody answers at REDIS_URL")))

// A closed window ends the demo without a word: its server must not outlive it.
process.once("SIGHUP", () => process.exit())

/** What the demo leaves in the environment's is gone within a minute. */
export const anyRedis: Effect.Effect<RedisServer, NoRedis, Scope.Scope> = Effect.catchAll(
  own,
  (error) => ((process.env["REDIS_URL"] ?? "") === "" ? error : ofTheEnvironment)
)
