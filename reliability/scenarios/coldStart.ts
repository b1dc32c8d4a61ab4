/** Redis is not there, and a crowd asks for what nobody has built. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { startRedis } from "../../test/servers/redis.js"
import { type Fault, named } from "../faults.js"
import type { Finding } from "../figures.js"
import { machineMillis } from "../machineMillis.js"
import { failureThreshold, successThreshold } from "../settings.js"
import { startWire } from "../wire.js"

/** What a crowd cost. Milliseconds. */
export interface ColdStart {
  readonly loads: number
  readonly errors: number
  /** Of the crowd, beyond the creator's own time. */
  readonly crowd: number
  /** Of lookups one after the other, until the circuit was open: all that it cost them. */
  readonly untilOpen: number
}

const crowd = 500
const creatorTime = 100
const connectTimeout = 300

export const coldStart = (
  fault: Fault,
  commandTimeout: number
): Effect.Effect<ColdStart, Effect.Effect.Error<ReturnType<typeof startRedis>>> =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* startRedis({ own: true })
      const wire = yield* startWire(server)
      yield* fault.happens({ server, wires: [wire], commandTimeout })
      const client = RedisClient.layer({ url: wire.url, commandTimeout, connectTimeout })
      const cache = yield* start(client)
      let loads = 0
      const create = Effect.delay(
        Effect.sync(() => ++loads),
        creatorTime
      )
      const began = machineMillis()
      const exits = yield* Effect.forEach(
        Array.from({ length: crowd }),
        () => Effect.exit(Cache.getOrCreate("cold", create)),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(cache))
      const took = machineMillis() - began - creatorTime
      return {
        loads,
        errors: exits.filter(Exit.isFailure).length,
        crowd: took,
        untilOpen: yield* untilOpen(fault, commandTimeout)
      }
    })
  )

/** The server goes only now: so nothing is known of it. */
const untilOpen = (fault: Fault, commandTimeout: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* startRedis({ own: true })
      const wire = yield* startWire(server)
      const client = RedisClient.layer({ url: wire.url, commandTimeout })
      const cache = yield* start(client)
      return yield* Effect.gen(function* () {
        yield* Cache.set("there", 1)
        yield* fault.happens({ server, wires: [wire], commandTimeout })
        let spent = 0
        for (let key = 0; (yield* Cache.health).circuit === "closed"; key++) {
          const began = machineMillis()
          yield* Cache.getOrCreate(`key-${key}`, Effect.succeed(key))
          spent += machineMillis() - began
        }
        return spent
      }).pipe(Effect.provide(cache))
    })
  )

const start = (client: Layer.Layer<RedisClient>) =>
  Layer.build(
    Layer.provide(
      RedisCache.layer({ breaker: { failureThreshold, successThreshold, openFor: "1 minute" } }),
      client
    )
  )

/** Ways not to be there. */
export const absences = [
  named("connections refused"),
  named("network swallows everything"),
  named("replies later than the time of a command")
]

const commandTimeout = 300

/** The same, as findings. */
export const coldStarts = Effect.forEach(absences, (fault) =>
  Effect.map(coldStart(fault, commandTimeout), ({ crowd: slowest, errors, loads, untilOpen }) => {
    const finding: Finding = {
      fault: `${fault.name}, from the start`,
      how:
        `${crowd} callers of a cold key in a process that starts without Redis; and ` +
        `${Math.round(untilOpen)} ms in all, where it goes later, for those who come before the ` +
        `circuit is open: at most ${failureThreshold} × ${commandTimeout}`,
      figures: {
        extra: { value: loads - 1, of: 1 },
        errors: { value: errors, of: crowd },
        slowest: { value: Math.max(0, slowest) }
      },
      samples: []
    }
    return finding
  })
)
