// The results of jobs, in a file: another run of this program would find them.
import { Console, Effect, Stream } from "effect"
import { Storage } from "effect-larder"
import { SqliteStorage } from "effect-larder/sqlite"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const folder = mkdtempSync(join(tmpdir(), "larder-"))
const StorageLive = SqliteStorage.layer({ filename: join(folder, "results.db") })

const finish = (job: string, rows: number) =>
  Storage.set(`job:nightly:${job}`, { rows }, { ttl: "30 days", metadata: { by: "worker 1" } })

const work = Effect.all([finish("orders", 1_024), finish("stock", 77)])

const report = Effect.gen(function* () {
  yield* Console.log(yield* Storage.keys("job:nightly:*"))
  yield* Stream.runForEach(Storage.entries("job:nightly:*"), ({ key, metadata, value }) =>
    Console.log(`${key} by ${metadata["by"]}: ${JSON.stringify(value)}`)
  )
})

// Each opens the file anew, as two processes would.
const program = Effect.zipRight(
  Effect.provide(work, StorageLive),
  Effect.provide(report, StorageLive)
)

Effect.runPromise(program).finally(() => rmSync(folder, { recursive: true }))
