import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { freshness, servableStaleUntil, windows } from "../../src/policy/freshness.js"

const time = FastCheck.nat(10_000)
const span = FastCheck.oneof(FastCheck.nat(5_000), FastCheck.constant(Infinity))

describe("freshness", () => {
  it("a boundary belongs to what follows it", () => {
    expect(freshness(99, 100, 200)).toBe("fresh")
    expect(freshness(100, 100, 200)).toBe("stale")
    expect(freshness(199, 100, 200)).toBe("stale")
    expect(freshness(200, 100, 200)).toBe("expired")
    expect(freshness(100, 100, 100)).toBe("expired")
  })

  it("what never expires is always fresh, and what is never too stale always stale", () => {
    expect(freshness(Number.MAX_VALUE, Infinity, Infinity)).toBe("fresh")
    expect(freshness(Number.MAX_VALUE, 0, Infinity)).toBe("stale")
  })

  it("an entry is fresh, then stale, then expired, and never goes back", () => {
    const rank = { fresh: 0, stale: 1, expired: 2 }
    FastCheck.assert(
      FastCheck.property(time, time, time, time, (a, b, expiresAt, staleUntil) => {
        const [now, later] = a < b ? [a, b] : [b, a]
        expect(rank[freshness(now, expiresAt, staleUntil)]).toBeLessThanOrEqual(
          rank[freshness(later, expiresAt, staleUntil)]
        )
      })
    )
  })
})

describe("windows", () => {
  it("both stale windows begin at expiry, and the longer one decides how long to keep", () => {
    expect(
      windows({ createdAt: 1_000, ttl: 100, staleWhileRevalidate: 20, staleIfError: 50 })
    ).toEqual({ expiresAt: 1_100, staleUntil: 1_120, errorUntil: 1_150, keepUntil: 1_150 })
  })

  it("are in order, whatever is infinite", () => {
    FastCheck.assert(
      FastCheck.property(time, span, span, span, (createdAt, ttl, swr, sie) => {
        const life = windows({ createdAt, ttl, staleWhileRevalidate: swr, staleIfError: sie })
        for (const end of Object.values(life)) expect(end).not.toBeNaN()
        expect(life.expiresAt).toBeLessThanOrEqual(life.staleUntil)
        expect(life.expiresAt).toBeLessThanOrEqual(life.errorUntil)
        expect(life.keepUntil).toBe(Math.max(life.staleUntil, life.errorUntil))
        expect(life.keepUntil === Infinity).toBe(Math.max(ttl, swr, sie) === Infinity)
      })
    )
  })

  it("a reader may shorten a stale window, never lengthen it", () => {
    expect(servableStaleUntil(100, 200, 50)).toBe(150)
    expect(servableStaleUntil(100, 200, 0)).toBe(100)
    FastCheck.assert(
      FastCheck.property(time, span, span, (expiresAt, writers, readers) => {
        const staleUntil = expiresAt + writers
        const servable = servableStaleUntil(expiresAt, staleUntil, readers)
        expect(servable).toBe(expiresAt + Math.min(writers, readers))
        expect(servableStaleUntil(Infinity, Infinity, readers)).toBe(Infinity)
      })
    )
  })
})
