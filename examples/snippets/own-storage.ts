import { Storage, type StorageBackend } from "effect-larder"
import { storageConformance } from "effect-larder/testing"
import { describe, it } from "vitest"

declare const backend: StorageBackend

storageConformance("our store", Storage.fromBackend(backend), { describe, it })
