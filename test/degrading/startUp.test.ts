/** What a program says once, when its cache is there. */
import { describe, expect, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { Cache, MemoryCacheLive, NoopCacheLive } from "effect-larder"

/** The lines that building a layer says in this environment. */
const saidBy = (layer: Layer.Layer<Cache>, environment: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const lines: Array<unknown> = []
    const logger = Logger.make(({ annotations, logLevel, message }) => {
      lines.push({
        level: logLevel.label,
        message,
        annotations: Object.fromEntries(HashMap.entries(annotations))
      })
    })
    yield* Layer.build(layer).pipe(
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(environment))))
    )
    return lines
  })

const inMemory = (max_capacity: number) => ({
  level: "INFO",
  message: ["In-memory cache provider initialized"],
  annotations: { backend: "memory", max_capacity }
})

describe("a cache in memory that is ready to provide", () => {
  it.scoped("says that it is there, and how much it holds", () =>
    Effect.gen(function* () {
      expect(yield* saidBy(MemoryCacheLive)).toEqual([inMemory(10_000)])
      expect(yield* saidBy(MemoryCacheLive, { LARDER_CACHE_CAPACITY: "5" })).toEqual([inMemory(5)])
    })
  )

  it.scoped("says that it is none, if it is not enabled", () =>
    Effect.gen(function* () {
      expect(yield* saidBy(MemoryCacheLive, { LARDER_CACHE_ENABLED: "false" })).toEqual([
        { level: "INFO", message: ["Distributed cache disabled by configuration"], annotations: {} }
      ])
    })
  )

  it.scoped("says nothing, where none was asked for", () =>
    Effect.gen(function* () {
      expect(yield* saidBy(NoopCacheLive)).toEqual([])
    })
  )
})
