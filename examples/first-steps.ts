import { Console, Effect } from "effect"
import { Cache, MemoryCache } from "effect-larder"

let queries = 0

const loadUser = (id: number) =>
  Effect.sync(() => {
    queries++
    return { id, name: `user ${id}` }
  }).pipe(Effect.delay("20 millis"))

const user = (id: number) => Cache.getOrCreate(`user:${id}`, loadUser(id), { ttl: "1 minute" })

const program = Effect.gen(function* () {
  const requests = Array.from({ length: 100 }, () => user(1))
  yield* Effect.all(requests, { concurrency: "unbounded" })
  yield* Console.log(`100 requests at once: ${queries} query`)

  yield* user(1)
  yield* Console.log(`one more: ${queries} query`)

  const wasThere = yield* Cache.invalidate("user:1")
  yield* user(1)
  yield* Console.log(`invalidated (${wasThere}), asked again: ${queries} queries`)

  yield* Cache.set("user:2", { id: 2, name: "set by hand" }, { ttl: "5 minutes" })
  const two = yield* user(2)
  yield* Console.log(`user 2 is ${two.name}: ${queries} queries`)

  const three = yield* Cache.get("user:3")
  yield* Console.log(`user 3 before: ${three._tag}`)

  // `getOrCreate` in a pipe.
  yield* loadUser(3).pipe(Cache.cached("user:3", { ttl: "1 minute" }))

  const { coalesced, hits, keys, loads, misses } = yield* Cache.stats
  yield* Console.log(`${hits} hits, ${misses} misses, of which ${coalesced} waited for another`)
  yield* Console.log(`${loads} loads, now cached: ${keys.join(", ")}`)
})

Effect.runPromise(program.pipe(Effect.provide(MemoryCache.layer())))
