// One of several processes that share the traffic. Each request is made twice: of a Redis with a
// ttl, and of RedisCache.
import type { SqlError } from "@effect/sql/SqlError"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { Effect, FiberSet, Layer, Logger, LogLevel } from "effect"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { post, serve } from "../../test/servers/serve.js"
import { loadRating } from "../stampede/database.js"
import { connect, getOrLoad } from "../stampede/naive.js"
import { type Arrival, arrivals } from "./requests.js"
import type { Query } from "./samples.js"
import * as Scenario from "./scenario.js"

/** What the processes are told by `LARDER_DEMO` in the environment, as JSON. */
export interface Surroundings {
  readonly url: string
  readonly prefix: string
  readonly database: string
}

/** Of the arrivals every `of`th, beginning with number `index`. */
export interface Share {
  readonly index: number
  readonly of: number
}

/** What a process tells of itself. Times are the clock's, in milliseconds. */
export type Message =
  | { readonly type: "query"; readonly query: Query }
  | { readonly type: "served"; readonly requests: number }

// What is logged would be written across the chart.
const quiet = Logger.withMinimumLogLevel(LogLevel.None)

const tell = (message: Message) => post(message)

const make = Effect.gen(function* () {
  const { database, prefix, url }: Surroundings = JSON.parse(process.env["LARDER_DEMO"] ?? "{}")
  const redis = yield* connect(url)
  const ours = RedisCache.layer({
    prefix,
    ttl: Scenario.millis(Scenario.ttl),
    lease: { duration: Scenario.millis(Scenario.lease) }
  }).pipe(Layer.provide(RedisClient.layer({ url, commandTimeout: "5 seconds" })))
  const sql = SqliteClient.layer({ filename: database, readonly: true, disableWAL: true })
  const services = yield* Layer.build(Layer.merge(ours, sql))

  const gate = yield* Effect.makeLatch(true)
  const load = (cache: Query["cache"], product: number) =>
    Effect.suspend(() => tell({ type: "query", query: { cache, product, at: Date.now() } })).pipe(
      Effect.zipRight(
        Effect.when(gate.await, () => cache === "ours" && product === Scenario.hottest)
      ),
      Effect.zipRight(loadRating(product, Scenario.millis(Scenario.query)))
    )
  const keyOf = (product: number) => `rating:${product}`
  const naiveKeyOf = (product: number) => `${prefix}-naive:${product}`
  const request = ({ product }: Arrival) =>
    Effect.all(
      [
        getOrLoad(
          redis,
          naiveKeyOf(product),
          load("naive", product),
          Scenario.millis(Scenario.ttl)
        ),
        Cache.getOrCreate(keyOf(product), load("ours", product))
      ],
      { concurrency: "unbounded", discard: true }
    )

  const running = yield* FiberSet.make<void, SqlError>()
  const run = yield* Effect.provide(
    FiberSet.runtime(running)<Effect.Effect.Context<ReturnType<typeof request>>>(),
    services
  )
  let share: Share = { index: 0, of: 1 }
  let served = 0
  const tellServed = Effect.suspend(() => tell({ type: "served", requests: served }))

  const all = arrivals(Scenario)
  /**
   * Those that are due go out together, and then replies are read: who is late must not be kept
   * from them.
   */
  const handOut = (startsAt: number) =>
    Effect.gen(function* () {
      let next = 0
      while (next < all.length) {
        const now = Scenario.trafficSeconds(Date.now() - startsAt)
        for (let arrival = all[next]; arrival && arrival.at <= now; arrival = all[++next]) {
          if (next % share.of !== share.index) continue
          run(request(arrival))
          served++
        }
        yield* Effect.sleep("4 millis")
      }
    })

  return {
    /** Answers when the minute is over, and nobody waits any more. */
    serve: ({ startsAt }: { readonly startsAt: number }) =>
      handOut(startsAt).pipe(
        Effect.zipRight(FiberSet.awaitEmpty(running)),
        Effect.raceFirst(FiberSet.join(running)),
        Effect.race(Effect.forever(Effect.delay(tellServed, "50 millis"))),
        Effect.zipRight(tellServed)
      ),
    /** While it is closed, no load of the hottest product ends. */
    gate: ({ isOpen }: { readonly isOpen: boolean }) => (isOpen ? gate.open : gate.close),
    take: (next: Share) => Effect.sync(() => void (share = next)),
    invalidate: ({ product }: { readonly product: number }) =>
      Effect.all(
        [
          Effect.promise(() => redis.del(naiveKeyOf(product))),
          quiet(Effect.provide(Cache.invalidate(keyOf(product)), services))
        ],
        { concurrency: "unbounded", discard: true }
      )
  }
}).pipe(quiet)

export type Handlers = Effect.Effect.Success<typeof make>

serve(make)
