// The traffic, shown as it suits who looks.
import { Console, Effect } from "effect"
import type { RedisServer } from "../../test/servers/redis.js"
import type { NoRedis } from "../stampede/redis.js"
import { minute } from "./minute.js"
import { makePlain } from "./plain.js"
import { isWatched, makeTerminal } from "./terminal.js"
import { introduction } from "./words.js"

export const traffic = (anyRedis: Effect.Effect<RedisServer, NoRedis>) =>
  Effect.gen(function* () {
    yield* Console.log(introduction)
    const redis = yield* anyRedis
    yield* minute(redis, yield* isWatched ? makeTerminal : makePlain)
  }).pipe(Effect.scoped)
