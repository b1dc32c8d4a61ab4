/**
 * What a cache costs while its Redis is gone: nothing, once the circuit is open.
 *
 * The server is stopped as a whole, so that it is silent: sockets stay open, and nobody
 * answers. That is the worst that it can do to those who wait.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import type { RedisServer } from "../../test/servers/redis.js"
import { ours, type Report, type Target } from "../figures.js"
import { announce, progress, quantile } from "../harness.js"
import { overRedis } from "../overRedis.js"

const title = "Requests while Redis is gone"
const none = "no cache"

/** How many come in a second: of a usual service, and as many as a core can bear. */
const rates = [250, 2_000]
/** How long a creator takes, in milliseconds. */
const creation = 10
const runs = 5

const failureThreshold = 5
const commandTimeout = 200

/** At most so many times as long as without a cache, or so many milliseconds more. */
const factor = 1.1
const allowance = 2

type Runtime = ManagedRuntime.ManagedRuntime<Cache, never>

export const redisDown = overRedis(title, (redis, isQuick) =>
  Effect.gen(function* () {
    const runtime = yield* start(redis)
    const seconds = isQuick ? 1 : 4
    announce(title)
    const opening = yield* openCircuit(redis, runtime)
    const reports: Array<Report> = []
    for (const [index, rate] of rates.entries()) {
      const trials: Array<Trial> = []
      for (let run = -1; run < runs; run++) {
        progress(`${title}: ${rate} a second, run ${run + 1} of ${runs}`)
        const ofOurs = slowest(runtime, rate, seconds, (key) => Cache.getOrCreate(key, load))
        const ofNone = slowest(runtime, rate, seconds, () => load)
        const trial =
          run % 2 === 0
            ? { ours: yield* ofOurs, none: yield* ofNone }
            : { none: yield* ofNone, ours: yield* ofOurs }
        // The first run warms up.
        if (run >= 0) trials.push(trial)
      }
      reports.push(reportOf(rate, trials, index === 0 ? [waited(opening)] : []))
    }
    progress("")
    return reports
  })
)

/** Of one run the slowest percent, in milliseconds. */
interface Trial {
  readonly ours: number
  readonly none: number
}

const load = Effect.as(Effect.sleep(creation), "value")

const start = ({ url }: RedisServer) =>
  Effect.acquireRelease(
    Effect.sync((): Runtime =>
      ManagedRuntime.make(
        RedisCache.layer({ breaker: { failureThreshold, openFor: "1 hour" } }).pipe(
          Layer.provide(RedisClient.layerStrict({ url, commandTimeout })),
          Layer.orDie
        )
      )
    ),
    (it) => it.disposeEffect
  )

/** What its callers have waited for it until it gave up, one after the other, in milliseconds. */
const openCircuit = (redis: RedisServer, runtime: Runtime) =>
  Effect.gen(function* () {
    yield* Effect.promise(() => runtime.runPromise(Cache.getOrCreate("warm", load)))
    yield* redis.pause
    yield* Effect.addFinalizer(() => redis.resume)
    const lookup = (index: number) =>
      Effect.gen(function* () {
        const [took] = yield* Effect.timed(Cache.getOrCreate(`cold ${index}`, Effect.succeed(1)))
        const { circuit } = yield* Cache.health
        return { waited: Duration.toMillis(took), isOpen: circuit === "open" }
      })
    let waited = 0
    for (let index = 0; index <= failureThreshold; index++) {
      const found = yield* Effect.promise(() => runtime.runPromise(lookup(index)))
      waited += found.waited
      if (found.isOpen) return waited
    }
    throw new Error("The circuit has not opened")
  })

/** The slowest percent of requests that come whether or not others are done, in milliseconds. */
const slowest = (
  runtime: Runtime,
  rate: number,
  seconds: number,
  request: (key: string) => Effect.Effect<string, never, Cache>
): Effect.Effect<number> =>
  Effect.promise(async () => {
    const took: Array<number> = []
    const timed = (index: number) =>
      Effect.map(Effect.timed(request(`request ${index}`)), ([time]) => {
        took.push(Duration.toMillis(time))
      })
    // A timer rings once a millisecond at most: of more, some come together.
    const together = Math.max(1, rate / 250)
    // A request that is over is nobody's: to keep their fibers would be what is measured.
    const arrivals = Effect.forEach(
      Array.from({ length: (rate * seconds) / together }).keys(),
      (nth) =>
        Effect.zipRight(
          Effect.forEach(
            Array.from({ length: together }).keys(),
            (index) => Effect.forkScoped(timed(nth * together + index)),
            { discard: true }
          ),
          Effect.sleep(4)
        ),
      { discard: true }
    )
    await runtime.runPromise(Effect.scoped(Effect.zipRight(arrivals, Effect.sleep(20 * creation))))
    return quantile(took, 0.99)
  })

const waited = (opening: number): Target => {
  const most = failureThreshold * commandTimeout
  return {
    what: `at most ${failureThreshold} × commandTimeout (${most} ms) waited until the circuit was open`,
    figure: `${opening.toFixed(0)} ms`,
    isMet: opening <= most
  }
}

const reportOf = (
  rate: number,
  trials: ReadonlyArray<Trial>,
  others: ReadonlyArray<Target>
): Report => {
  const medianOf = (of: (trial: Trial) => number) => quantile(trials.map(of), 0.5)
  const times = medianOf((it) => it.ours / it.none)
  const later = medianOf((it) => it.ours - it.none)
  return {
    title: `${title}: ${rate} a second, creators of ${creation} ms`,
    columns: ["", "runs", "p99 (ms), median of runs", `more than ${none} (ms)`],
    rows: [
      [ours, trials.length, medianOf((it) => it.ours), later],
      [none, trials.length, medianOf((it) => it.none), ""]
    ],
    targets: [
      {
        what: `p99 at most ${factor} × ${none}, or ${allowance} ms more`,
        figure: `${times.toFixed(2)} ×, ${later.toFixed(2)} ms`,
        isMet: times <= factor || later <= allowance
      },
      ...others
    ]
  }
}
