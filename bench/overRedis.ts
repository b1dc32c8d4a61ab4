/** Cases over a Redis of their own, the real one; where there is none, they say so. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { command, type RedisServer, startRedis } from "../test/servers/redis.js"
import { coreOfServer, onCoreOfClient } from "./cores.js"
import type { Case, Report } from "./report.js"

export interface OverRedis {
  /** Client and server on a core each; not where the case has processes of its own. */
  readonly isPinned?: boolean
}

export const overRedis =
  <E>(
    title: string,
    measure: (
      redis: RedisServer,
      isQuick: boolean
    ) => Effect.Effect<ReadonlyArray<Report>, E, Scope.Scope>,
    { isPinned = true }: OverRedis = {}
  ): Case =>
  (isQuick) =>
    start(isPinned).pipe(
      Effect.matchEffect({
        onFailure: (error) =>
          error._tag === "ServerMissing"
            ? Effect.succeed([{ title, skipped: error.message, targets: [] } as const])
            : Effect.fail(error),
        onSuccess: (redis) =>
          Effect.zipRight(isPinned ? onCoreOfClient : Effect.void, measure(redis, isQuick))
      }),
      Effect.scoped,
      Effect.runPromise
    )

const start = (isPinned: boolean) =>
  startRedis({
    own: true,
    args: isPinned && coreOfServer !== undefined ? ["--server_cpulist", String(coreOfServer)] : []
  })

/** The version that these cases run over; none if they will be skipped. */
export const versionOfRedis = (): Promise<string> =>
  start(false).pipe(
    Effect.flatMap((redis) => command(redis, "INFO", "server")),
    Effect.map((info) => /^redis_version:(.*?)\r?$/m.exec(String(info))?.[1] ?? "unknown"),
    Effect.catchTag("ServerMissing", () => Effect.succeed("none")),
    Effect.scoped,
    Effect.runPromise
  )
