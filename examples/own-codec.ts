// Bytes of your own in the place of JSON: what V8 can clone keeps its type, and is compressed.
import { Console, Effect, Layer, Option } from "effect"
import { Cache, type CacheCodec } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { deserialize, serialize } from "node:v8"
import { gunzipSync, gzipSync } from "node:zlib"

// #region codec
const codec: CacheCodec = {
  encode: (value) => gzipSync(serialize(value)),
  // What throws is a miss. The limit is for bytes that somebody else has put there.
  decode: (bytes) => deserialize(gunzipSync(bytes, { maxOutputLength: 10_000_000 }))
}

const CacheLive = RedisCache.layer({ prefix: "example-bytes", codec }).pipe(
  Layer.provide(RedisClient.layer({ url: process.env["REDIS_URL"] }))
)
// #endregion

const stations = Array.from({ length: 1000 }, (_, id) => [id, `station ${id}`] as const)
const loadTimetable = Effect.sync(() => ({
  since: new Date("2026-01-01"),
  stations: new Map(stations)
}))

const timetable = Cache.getOrCreate("timetable", loadTimetable, { ttl: "1 minute" })

const program = Effect.gen(function* () {
  yield* timetable
  const { since, stations } = yield* timetable
  yield* Console.log(`${since.getUTCFullYear()}, ${stations.get(42)}: ${stations instanceof Map}`)

  const size = Option.flatMap(yield* Cache.inspect("timetable"), ({ size }) => size)
  const asJson = JSON.stringify([...stations]).length
  const isLess = Option.exists(size, (bytes) => bytes < asJson / 2)
  yield* Console.log(`less than half of what it would be as JSON: ${isLess}`)

  const { hits, loads } = yield* Cache.counters
  yield* Console.log(`${loads} load, ${hits} hit`)
  yield* Cache.clear
})

Effect.runPromise(program.pipe(Effect.provide(CacheLive)))
