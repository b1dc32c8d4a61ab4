import { describe, it } from "vitest"
import { cacheBackendConformance } from "effect-larder/testing"
import { backendAt, shared } from "../redis/backends.js"
import { startRedis } from "../servers/redis.js"

// One after the other: at once they are slower than a test may take on a busy machine.
const tests = { describe, it }

const server = await shared(startRedis())
const mute = await shared(startRedis({ scripting: false }))

cacheBackendConformance("Redis", backendAt({ url: server.url }), tests)
cacheBackendConformance(
  "Redis, by several connections",
  backendAt({ url: server.url, maxConnections: 5 }),
  tests
)
cacheBackendConformance("Redis without scripting", backendAt({ url: mute.url }), tests)
