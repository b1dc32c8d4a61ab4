import { Cache, type CacheBackend } from "effect-larder"

declare const backend: CacheBackend

export const CacheLive = Cache.fromBackend(backend, {
  prefix: "shop", // entries live at `shop:<key>`
  ttl: "10 minutes",
  lease: { duration: "5 seconds", maxHold: "5 minutes" }
})
