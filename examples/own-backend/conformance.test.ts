import { Effect } from "effect"
import { cacheBackendConformance } from "effect-larder/testing"
import { describe, it } from "vitest"
import * as MapBackend from "./MapBackend.js"

cacheBackendConformance("a backend over a Map", Effect.sync(MapBackend.make), { describe, it })
