import { PersistedCache } from "@effect/experimental"
import * as Persistence from "@effect/experimental/Persistence/Redis"
import { Console, Effect, Exit, Layer, PrimaryKey, Schema } from "effect"
import { changePrice, countQueries, queryPrice, untilQuery } from "../database.js"

class Price extends Schema.TaggedRequest<Price>()("Price", {
  payload: { product: Schema.String },
  success: Schema.Number,
  failure: Schema.String
}) {
  [PrimaryKey.symbol]() {
    return this.product
  }
}

/** What each process of an application makes: a cache, and a connection. */
const start = Effect.gen(function* () {
  const { hostname, port } = new URL(process.env["REDIS_URL"] ?? "redis://localhost:6379")
  const redis = Persistence.layerResult({ host: hostname, port: Number(port) })
  return yield* PersistedCache.make({
    storeId: "before",
    lookup: ({ product }: Price) =>
      Effect.tryPromise({ try: () => queryPrice(product), catch: String }),
    timeToLive: (_, exit) => (Exit.isSuccess(exit) ? "10 minutes" : 0),
    inMemoryTTL: 0
  }).pipe(Effect.provide(yield* Layer.build(redis)))
})

const program = Effect.gen(function* () {
  const apple = new Price({ product: "apple" })
  const here = yield* start
  const there = yield* start
  yield* here.invalidate(apple)
  yield* Effect.all([here.get(apple), there.get(apple)], { concurrency: "unbounded" })
  yield* Console.log(`2 instances: ${countQueries()} queries`)

  yield* here.invalidate(apple)
  const rebuild = yield* Effect.fork(here.get(apple))
  yield* Effect.promise(untilQuery)
  changePrice("apple", 200)
  yield* there.invalidate(apple)
  yield* rebuild
  const price = yield* there.get(apple)
  yield* Console.log(`invalidated during a rebuild: the price is 200, the cache says ${price}`)
})

Effect.runPromise(Effect.scoped(program))
