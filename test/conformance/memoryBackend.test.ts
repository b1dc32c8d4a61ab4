import { describe, it } from "vitest"
import { MemoryBackend } from "effect-larder"
import { cacheBackendConformance } from "../../src/testing/cacheBackendConformance.js"

const ahead = MemoryBackend.make({ clockOffset: 3_600_000 })
const behind = MemoryBackend.make({ clockOffset: -3_600_000, pushes: false })

cacheBackendConformance("the memory backend", ahead, { describe, it })
cacheBackendConformance("without pushes", behind, { describe: describe.concurrent, it })
