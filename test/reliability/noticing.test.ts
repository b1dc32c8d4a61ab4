/** What measures reliability would notice if there were none. */
import { describe, expect, it } from "@effect/vitest"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cache, MemoryCache, NoopCache } from "effect-larder"
import { sentMeanwhile, timeToClosed } from "../../reliability/audit.js"
import { startTraffic } from "../../reliability/traffic.js"
import { inMemory } from "../../reliability/truth.js"

/** What becomes of traffic over two caches, in a calm that lasts for a while. */
const judged = (layer: Layer.Layer<Cache>) =>
  Effect.gen(function* () {
    const truth = inMemory()
    yield* truth.beginCalm
    const start = (here: number) =>
      Effect.flatMap(Layer.build(Layer.fresh(layer)), (cache) =>
        Effect.provide(startTraffic({ truth, here, writers: 2 }), cache)
      )
    const [here, there] = yield* Effect.all([start(0), start(1)])
    yield* Effect.sleep("600 millis")
    return { here, there, calm: yield* truth.endCalm }
  })

/** A cache in memory that does some of it wrong. */
const faulty = (wrong: Partial<Context.Tag.Service<Cache>>) =>
  Layer.project(MemoryCache.layer({ beta: 0 }), Cache, Cache, (cache) => ({ ...cache, ...wrong }))

describe("Traffic", () => {
  it.scopedLive("over a cache that keeps nothing makes loads too many, and nothing else", () =>
    Effect.gen(function* () {
      const { calm, here } = yield* judged(NoopCache.layer)
      expect(calm.extra).toBeGreaterThan(10)
      expect(here).toMatchObject({ errors: 0, staleHere: 0, staleElsewhere: 0 })
    })
  )

  it.scopedLive("over caches that do not hear of each other is given what is stale", () =>
    Effect.gen(function* () {
      const { here, there } = yield* judged(MemoryCache.layer({ beta: 0 }))
      expect(here.staleElsewhere + there.staleElsewhere).toBeGreaterThan(0)
      expect(here.staleHere + there.staleHere).toBe(0)
      expect(here.samples.join()).toContain("row:1-")
    })
  )

  it.scopedLive("over a cache that forgets to invalidate is given what is stale there", () =>
    Effect.gen(function* () {
      const { here } = yield* judged(
        faulty({ invalidate: () => Effect.succeed(false), set: () => Effect.void })
      )
      expect(here.staleHere).toBeGreaterThan(0)
    })
  )

  it.scopedLive("over a cache that dies says so, of lookups and of writes", () =>
    Effect.gen(function* () {
      const { here } = yield* judged(
        faulty({
          lookup: () => Effect.die("no lookup"),
          invalidate: () => Effect.die("no write"),
          set: () => Effect.die("no write")
        })
      )
      expect(here.errors).toBeGreaterThan(10)
      expect(here.samples.join()).toContain("no lookup")
      expect(here.samples.join()).toContain("no write")
    })
  )
})

const outage = {
  began: 1_000,
  ended: 5_000,
  commandTimeout: 100,
  transitions: [
    { to: "open", at: 1_200 },
    { to: "half-open", at: 3_200 },
    { to: "open", at: 3_300 },
    { to: "half-open", at: 5_400 },
    { to: "closed", at: 5_500 }
  ],
  seen: []
}

describe("An outage", () => {
  it("is over for a process when its circuit is closed", () => {
    expect(timeToClosed(outage)).toBe(500)
    expect(timeToClosed({ ...outage, ended: 900 })).toBeUndefined()
    expect(timeToClosed({ ...outage, transitions: outage.transitions.slice(0, 3) })).toBe(Infinity)
  })

  it("counts what the cache sends from when its circuit is open, and not how it connects", () => {
    const get = (at: number) => ({ at, command: ["get", "larder:k"] })
    const seen = [
      ...[1_100, 1_210, 3_200, 3_250, 3_310, 5_600].map(get),
      { at: 3_200, command: ["info"] },
      { at: 3_200, command: ["subscribe", "larder!push"] }
    ]
    expect(sentMeanwhile({ ...outage, seen })).toEqual({
      millis: 4_100,
      commands: 3,
      inFlight: 2
    })
  })
})
