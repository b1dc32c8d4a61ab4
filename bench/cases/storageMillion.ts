/** Listing a million keys: how much of them is in memory at a time. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Storage } from "effect-larder"
import { RedisClient, RedisStorage } from "effect-larder/redis"
import { SqliteStorage } from "effect-larder/sqlite"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { bytes } from "../figures.js"
import { announce, collect, progress } from "../harness.js"
import { overRedis } from "../overRedis.js"

const title = "Listing a million keys"
const most = 50 * 1_048_576
const batch = 10_000

export const storageMillion = overRedis(title, (redis, isQuick) =>
  Effect.gen(function* () {
    const keys = isQuick ? 100_000 : 1_000_000
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "larder-bench-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => Fs.rmSync(folder, { recursive: true })))
    announce(title)
    const inFile = SqliteStorage.layer({ filename: Path.join(folder, "million.db") })
    const inRedis = RedisStorage.layer().pipe(
      Layer.provide(RedisClient.layerStrict({ url: redis.url, commandTimeout: "30 seconds" }))
    )
    const found = [
      { store: "SQLite", ...(yield* Effect.provide(listed(keys), inFile)) },
      { store: "Redis", ...(yield* Effect.provide(listed(keys), inRedis)) }
    ]
    progress("")
    return [
      {
        title: `${title} (${keys.toLocaleString("en")})`,
        columns: ["keysStream", "keys met", "heap at most", "seconds"],
        rows: found.map(({ grown, met, seconds, store }) => [store, met, bytes(grown), seconds]),
        targets: found.map(({ grown, met, store }) => ({
          what: `${store}: the heap grows by less than ${bytes(most)}, and all are met`,
          figure: bytes(grown),
          isMet: grown < most && met >= keys
        }))
      }
    ]
  })
)

/** Fills a storage, lists it, and looks at the heap after every page of the listing that counts. */
const listed = (keys: number) =>
  Effect.gen(function* () {
    for (let at = 0; at < keys; at += batch) {
      progress(`${title}: ${at.toLocaleString("en")} written`)
      const some = Array.from({ length: batch }, (_, nth) => [`key:${at + nth}`, nth] as const)
      yield* Storage.setMany(some)
    }
    const before = heap()
    const start = performance.now()
    let met = 0
    let grown = 0
    let looked = 0
    yield* Stream.runForEachChunk(Storage.keysStream(), (page) =>
      Effect.sync(() => {
        met += Chunk.size(page)
        if (met - looked < keys / 20) return
        looked = met
        grown = Math.max(grown, heap() - before)
      })
    )
    return { met, grown, seconds: (performance.now() - start) / 1_000 }
  })

const heap = (): number => {
  collect?.()
  return process.memoryUsage().heapUsed
}
