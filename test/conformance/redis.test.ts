import { describe, it } from "vitest"
import { cacheBackendConformance } from "effect-larder/testing"
import { backendAt, shared } from "../redis/backends.js"
import { startRedis } from "../servers/redis.js"

const tests = { describe: describe.concurrent, it }

const server = await shared(startRedis())
const mute = await shared(startRedis({ scripting: false }))

cacheBackendConformance("Redis", backendAt({ url: server.url }), tests)
cacheBackendConformance("Redis, as bytes", backendAt({ url: server.url }, { asBytes: true }), tests)
cacheBackendConformance(
  "Redis, by several connections",
  backendAt({ url: server.url, maxConnections: 5 }, { asBytes: true }),
  tests
)
// One step at a time on a connection: these take turns.
cacheBackendConformance(
  "Redis without scripting",
  backendAt({ url: mute.url }, { asBytes: true }),
  { describe, it }
)
