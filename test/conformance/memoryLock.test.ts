import { MemoryLock } from "effect-larder"
import { lockConformance } from "effect-larder/testing"
import { describe, it } from "vitest"

lockConformance(
  "locks in memory",
  MemoryLock.layer,
  { describe: describe.concurrent, it },
  { isShared: false }
)
