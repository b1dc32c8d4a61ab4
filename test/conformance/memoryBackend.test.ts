import { describe, it } from "vitest"
import { MemoryBackend } from "effect-larder"
import { cacheBackendConformance } from "../../src/testing/cacheBackendConformance.js"

// Each test has a server of its own, so they need not take turns.
const tests = { describe: describe.concurrent, it }

const ahead = MemoryBackend.make({ clockOffset: 3_600_000 })
const behind = MemoryBackend.make({ clockOffset: -3_600_000, pushes: false })

cacheBackendConformance("the memory backend", ahead, tests)
cacheBackendConformance("the memory backend, without pushes", behind, tests)
