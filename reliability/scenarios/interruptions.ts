/** Callers who give up at random while faults come and go: what they leave behind. */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import * as Breaker from "../../src/core/breaker.js"
import * as Core from "../../src/core/cache.js"
import type { Path } from "../../src/core/path.js"
import type { Service } from "../../src/core/service.js"
import { settings } from "../../src/core/settings.js"
import { CacheBackend } from "../../src/port/CacheBackend.js"
import { command, startRedis } from "../../test/servers/redis.js"
import { faults, type Scene } from "../faults.js"
import type { Finding } from "../figures.js"
import { counting } from "../leftovers.js"
import { machineMillis } from "../machineMillis.js"
import { startWire } from "../wire.js"

/** What is there when all is over, beyond what was there before. */
export interface Left {
  readonly lookups: number
  readonly interrupted: number
  readonly outages: number
  /** Flights, and those who wait for another process's. */
  readonly flights: number
  readonly waiters: number
  readonly pending: number
  /** In the server. */
  readonly leases: number
  readonly fibers: number
  readonly sockets: number
  /** Of the breaker that creators were under: how many of its permits are gone. */
  readonly permits: number
}

const commandTimeout = 150
const openFor = 300
const leaseDuration = 500
const callers = 50
const keys = 12
const successThreshold = 2

export const interruptions = (lasts: Duration.DurationInput) =>
  counting((leftovers) =>
    Effect.scoped(
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const wire = yield* startWire(server)
        const { path, service } = yield* start(wire.url)
        // As good as another process: somebody to wait for.
        const other = yield* start(server.url)
        const breaker = yield* Breaker.make({ failureThreshold: 3, openFor, successThreshold })
        const before = yield* leftovers
        const create = breaker.execute(creator)
        const count = { lookups: 0, interrupted: 0 }
        const crowd = Effect.forEach(
          Array.from({ length: callers }, (_, nth) => (nth % 4 === 0 ? other.service : service)),
          (cache) =>
            Effect.forever(giveUp(Effect.provideService(visit(create), Cache, cache), count)),
          { concurrency: "unbounded" }
        )
        let outages = 0
        const until = machineMillis() + Duration.toMillis(lasts)
        const trouble = Effect.map(outage({ server, wires: [wire], commandTimeout }), () => {
          outages++
        })
        yield* Effect.raceFirst(
          crowd,
          Effect.repeat(trouble, { until: () => machineMillis() > until })
        )
        yield* untilWell([path, other.path])
        // One that listens may have begun to connect just as the network swallowed everything.
        yield* Effect.repeat(leftovers, {
          until: ({ sockets }) => sockets >= before.sockets,
          schedule: Schedule.spaced("100 millis")
        }).pipe(Effect.timeout("20 seconds"))
        const permits = successThreshold - (yield* permitsOf(breaker))
        const after = yield* leftovers
        const leases = yield* command(server, "KEYS", "larder!lease:*")
        const paths = [path, other.path]
        const sum = (of: (path: Path) => number) =>
          paths.reduce((total, path) => total + of(path), 0)
        const left: Left = {
          ...count,
          outages,
          flights: sum(({ rebuilds }) => rebuilds.size),
          waiters: sum(({ l2 }) => l2?.waiters.size ?? 0),
          pending: sum(({ l2 }) => l2?.pending.size ?? 0),
          leases: Array.isArray(leases) ? leases.length : Number.NaN,
          fibers: after.fibers - before.fibers,
          sockets: after.sockets - before.sockets,
          permits
        }
        return left
      })
    )
  )

/** As `RedisCache.layer` makes it, with a look inside. */
const start = (url: string) =>
  Effect.gen(function* () {
    const client = RedisClient.layer({ url, commandTimeout })
    const context = yield* Layer.build(Layer.provide(RedisCache.backend, client))
    const backend = Context.get(context, CacheBackend)
    const options = { lease: { duration: leaseDuration }, breaker: { openFor, successThreshold } }
    const path = yield* Core.makePath({ backend }, settings({}, options))
    const service: Service = yield* Core.serve(path)
    return { path, service }
  })

const creator = Effect.gen(function* () {
  yield* Effect.sleep(yield* Random.nextIntBetween(0, 60))
  return (yield* Random.next) < 0.3 ? yield* Effect.fail("no") : "yes"
})

const visit = (create: Effect.Effect<string, unknown>) =>
  Effect.gen(function* () {
    const key = `key-${yield* Random.nextIntBetween(0, keys)}`
    const chance = yield* Random.next
    if (chance < 0.1) return yield* Cache.invalidate(key)
    if (chance < 0.15) return yield* Cache.set(key, "set")
    const staleWhileRevalidate = chance < 0.5 ? 50 : 0
    return yield* Cache.getOrCreate(key, create, { ttl: 50, staleWhileRevalidate })
  })

const giveUp = <A, E>(
  visit: Effect.Effect<A, E>,
  count: { lookups: number; interrupted: number }
) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(visit)
    count.lookups++
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 80))
    if (fiber.unsafePoll() === null) count.interrupted++
    yield* Fiber.interrupt(fiber)
  })

const outage = (scene: Scene) =>
  Effect.gen(function* () {
    const fault = faults[yield* Random.nextIntBetween(0, faults.length)]
    const lasting = Effect.sleep(yield* Random.nextIntBetween(50, 700))
    yield* Effect.scoped(Effect.zipRight(fault?.happens(scene) ?? Effect.void, lasting))
    yield* Effect.sleep(yield* Random.nextIntBetween(50, 700))
  })

/** Nothing is under way any more, and what a process that vanished had has run out. */
const untilWell = (paths: ReadonlyArray<Path>) =>
  Effect.sync(() =>
    paths.every(
      ({ l2, rebuilds }) =>
        rebuilds.size === 0 && l2?.pending.size === 0 && l2.breaker?.unsafeState() === "closed"
    )
  ).pipe(
    Effect.repeat({ until: (isWell) => isWell, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("20 seconds"),
    Effect.zipRight(Effect.sleep(2 * leaseDuration))
  )

/** How many probes it lets through at a time. */
const permitsOf = (breaker: Breaker.CircuitBreaker) =>
  Effect.gen(function* () {
    let begun = 0
    const probe = breaker.execute(
      Effect.zipRight(
        Effect.sync(() => ++begun),
        Effect.never
      )
    )
    yield* breaker.trip
    yield* Effect.sleep(openFor + 20)
    const probes = yield* Effect.replicateEffect(Effect.fork(probe), 2 * successThreshold)
    yield* Effect.sleep("20 millis")
    yield* Fiber.interruptAll(probes)
    return begun
  })

/** The same, as a finding. */
export const givingUp = (seconds: number) =>
  Effect.map(interruptions(seconds * 1_000), ({ interrupted, lookups, outages, ...left }) => {
    const count = Object.values(left).reduce((sum, it) => sum + Math.max(0, it), 0)
    const finding: Finding = {
      fault: "callers who give up at random meanwhile",
      how: `${seconds} s, ${outages} outages, ${interrupted} of ${lookups} callers interrupted`,
      figures: { left: { value: count } },
      samples: count > 0 ? [JSON.stringify(left)] : []
    }
    return finding
  })
