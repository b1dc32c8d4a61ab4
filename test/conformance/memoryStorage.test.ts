import * as Effect from "effect/Effect"
import { MemoryStorage, Storage } from "effect-larder"
import { storageConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import * as MemoryStorageBackend from "../../src/memory/MemoryStorageBackend.js"

// Each build has a store of its own, so the tests need not take turns.
const tests = { describe: describe.concurrent, it }

storageConformance("storage in memory", MemoryStorage.layer(), tests, { isShared: false })

storageConformance("storage in memory, with a ttl", MemoryStorage.layer({ ttl: "1 hour" }), tests, {
  isShared: false,
  ttl: "1 hour"
})

// As with a server: all builds see one store, which has removed what has expired before it counts.
const store = await Effect.runPromise(MemoryStorageBackend.make)
const native = Storage.fromBackend({
  ...store,
  cleanup: (olderThan) =>
    Effect.zipRight(
      store.cleanup(undefined),
      Effect.suspend(() => store.cleanup(olderThan))
    )
})

storageConformance(
  "one store in memory, which expires entries by itself",
  native,
  { describe, it },
  {
    expiry: "native"
  }
)
