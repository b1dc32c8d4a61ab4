import { describe, it } from "vitest"
import { MemoryCache } from "effect-larder"
import { cacheConformance } from "../../src/testing/cacheConformance.js"

// Each test has a cache of its own, so they need not take turns.
const tests = { describe: describe.concurrent, it }

cacheConformance("the memory cache", MemoryCache.layer(), tests)
cacheConformance("the memory cache, strict", MemoryCache.layer({ strict: true }), tests)
