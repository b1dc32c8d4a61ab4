/** Callers who never rest, over several processes, and what befell them. */
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient, type RedisClientOptions } from "effect-larder/redis"

/** As good as a process: a cache of its own, with connections of its own. */
export interface Instance {
  readonly run: <A, E>(effect: Effect.Effect<A, E, Cache>) => Effect.Effect<A, E>
}

export const commandTimeout = 300
export const creatorTime = 250
/** Milliseconds that a poll and a busy machine may add. */
export const slack = 500

/** These tests wait for the end of an outage, and it is not the circuit that they are about. */
const breaker = { openFor: "200 millis" } as const

export const startInstance = (
  settings: RedisClientOptions,
  options: RedisCache.RedisCacheOptions = {}
): Effect.Effect<Instance, never, Scope.Scope> =>
  startOver(RedisClient.layer({ commandTimeout, ...settings }), options)

export const startOver = (
  client: Layer.Layer<RedisClient>,
  options: RedisCache.RedisCacheOptions = {}
): Effect.Effect<Instance, never, Scope.Scope> =>
  Effect.map(
    Layer.build(Layer.provide(RedisCache.layer({ beta: 0, breaker, ...options }), client)),
    (context) => ({ run: Effect.provide(context) })
  )

export interface Report {
  lookups: number
  writes: number
  loads: number
  /** Milliseconds. */
  slowestLookup: number
  slowestWrite: number
  /** What callers failed with. */
  readonly failures: Array<string>
  /** Reads that were given what is older than an acknowledged write before them. */
  readonly stale: Array<string>
}

const keysEach = 6
const readersEach = 6

/** A row: how often it was written, and what reads must reach that begin now, here and elsewhere. */
interface Row {
  version: number
  floorHere: number
  floorElsewhere: number
}

/**
 * Reads everything everywhere, and writes each row in one process, until the
 * scope closes. Rows are built as often as they are written.
 *
 * @param lateness so many milliseconds after a write others may still be given what was before
 */
export const startTraffic = (
  instances: ReadonlyArray<Instance>,
  lateness = 0
): Effect.Effect<Report, never, Scope.Scope> =>
  Effect.gen(function* () {
    const report: Report = {
      lookups: 0,
      writes: 0,
      loads: 0,
      slowestLookup: 0,
      slowestWrite: 0,
      failures: [],
      stale: []
    }
    const rows = instances.map(() =>
      Array.from({ length: keysEach }, (): Row => ({ version: 0, floorHere: 0, floorElsewhere: 0 }))
    )
    const pick = Effect.map(
      Effect.zip(Random.nextIntBetween(0, instances.length), Random.nextIntBetween(0, keysEach)),
      ([owner, index]) => ({
        owner,
        index,
        key: `row:${owner}-${index}`,
        row: rows[owner]![index]!
      })
    )

    const read = ({ run }: Instance, here: number) =>
      Effect.gen(function* () {
        const { key, owner, row } = yield* pick
        const floor = owner === here ? row.floorHere : row.floorElsewhere
        const create = Effect.suspend(() => {
          report.loads++
          return Effect.delay(Effect.succeed(row.version), creatorTime)
        })
        const began = performance.now()
        const exit = yield* Effect.exit(run(Cache.getOrCreate(key, create, { ttl: "1 minute" })))
        const took = performance.now() - began
        report.lookups++
        report.slowestLookup = Math.max(report.slowestLookup, took)
        if (Exit.isFailure(exit)) report.failures.push(`${key}: ${String(exit.cause)}`)
        else if (exit.value < floor) {
          report.stale.push(`${key} in ${here}: ${exit.value}, not ${floor}, after ${took} ms`)
        }
        yield* Effect.sleep(yield* Random.nextIntBetween(1, 20))
      })

    const write = ({ run }: Instance, here: number) =>
      Effect.gen(function* () {
        const index = yield* Random.nextIntBetween(0, keysEach)
        const row = rows[here]![index]!
        const key = `row:${here}-${index}`
        const version = ++row.version
        const began = performance.now()
        const chance = yield* Random.next
        const how: Effect.Effect<unknown, never, Cache> =
          chance < 0.3
            ? Cache.set(key, version, { ttl: "1 minute" })
            : chance < 0.33
              ? Cache.clear
              : Cache.invalidate(key)
        const exit = yield* Effect.exit(run(how))
        report.slowestWrite = Math.max(report.slowestWrite, performance.now() - began)
        report.writes++
        if (Exit.isFailure(exit)) report.failures.push(`${key}: ${String(exit.cause)}`)
        row.floorHere = version
        // With none pending, this one has been confirmed: all processes are promised it.
        if ((yield* pendingOf({ run })) === 0) {
          const reach = Effect.sync(() => {
            row.floorElsewhere = Math.max(row.floorElsewhere, version)
          })
          yield* lateness === 0 ? reach : Effect.fork(Effect.delay(reach, lateness))
        }
        yield* Effect.sleep(yield* Random.nextIntBetween(10, 40))
      })

    const crowd = instances.flatMap((instance, here) => [
      ...Array.from({ length: readersEach }, () => Effect.forever(read(instance, here))),
      Effect.forever(write(instance, here))
    ])
    yield* Effect.forEach(crowd, Effect.forkScoped, { discard: true })
    return report
  })

export const pendingOf = ({ run }: Instance): Effect.Effect<number> =>
  Effect.map(run(Cache.health), ({ pendingInvalidations }) => pendingInvalidations)

/** With the milliseconds that it took. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([took, value]) => [Duration.toMillis(took), value] as const)

let lastProbe = 0

/** Tries until it is so, at most so long; gives the milliseconds that it took. */
export const eventually = (
  isSo: Effect.Effect<boolean>,
  what: string,
  patience = 10_000
): Effect.Effect<number> =>
  Effect.suspend(() => {
    const began = performance.now()
    const attempt: Effect.Effect<number> = Effect.flatMap(isSo, (is) => {
      const took = performance.now() - began
      if (is) return Effect.succeed(took)
      return took > patience
        ? Effect.dieMessage(`${what}: not within ${patience} ms`)
        : Effect.zipRight(Effect.sleep("10 millis"), attempt)
    })
    return attempt
  })

export const untilNothingPends = (instance: Instance): Effect.Effect<number> =>
  eventually(
    Effect.map(pendingOf(instance), (pending) => pending === 0),
    "nothing is pending"
  )

/** Waits until what any of them builds hits in all, and nothing is pending. */
export const untilShared = (
  instances: readonly [Instance, ...ReadonlyArray<Instance>]
): Effect.Effect<number> =>
  eventually(
    Effect.every(instances, (builder) =>
      Effect.suspend(() => {
        const key = `probe-${++lastProbe}`
        return Effect.zipRight(
          builder.run(Cache.getOrCreate(key, Effect.succeed(1))),
          Effect.every(instances, ({ run }) => Effect.map(run(Cache.get(key)), Option.isSome))
        )
      })
    ).pipe(
      Effect.zipWith(
        Effect.map(Effect.forEach(instances, pendingOf), Chunk.unsafeFromArray),
        (isShared, pending) => isShared && Chunk.every(pending, (count) => count === 0)
      )
    ),
    "a value that one process builds hits in all"
  )
