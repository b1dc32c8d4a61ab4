import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, it } from "vitest"
import { Cache, MemoryBackend } from "effect-larder"
import { cacheConformance } from "../../src/testing/cacheConformance.js"

const over = (options: MemoryBackend.MemoryBackendOptions) =>
  Layer.unwrapEffect(
    Effect.map(MemoryBackend.make(options), (backend) => Cache.fromBackend(backend))
  )

// Each test has a server of its own, so they need not take turns.
const tests = { describe: describe.concurrent, it }

cacheConformance("a cache over the memory backend", over({ clockOffset: 3_600_000 }), tests)
cacheConformance("a cache that hears no pushes", over({ pushes: false }), tests)
