import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { keepUntil, servableStaleUntil, windows } from "../../src/policy/freshness.js"

const time = FastCheck.nat(10_000)
const span = FastCheck.oneof(FastCheck.nat(5_000), FastCheck.constant(Infinity))

describe("windows", () => {
  it("both stale windows begin at expiry, and the longer one decides how long to keep", () => {
    const life = windows({ createdAt: 1_000, ttl: 100, staleWhileRevalidate: 20, staleIfError: 50 })
    expect(life).toEqual({ expiresAt: 1_100, staleUntil: 1_120, errorUntil: 1_150 })
    expect(keepUntil(life)).toBe(1_150)
  })

  it("are in order, whatever is infinite", () => {
    FastCheck.assert(
      FastCheck.property(time, span, span, span, (createdAt, ttl, swr, sie) => {
        const life = windows({ createdAt, ttl, staleWhileRevalidate: swr, staleIfError: sie })
        for (const end of Object.values(life)) expect(end).not.toBeNaN()
        expect(life.expiresAt).toBeLessThanOrEqual(life.staleUntil)
        expect(life.expiresAt).toBeLessThanOrEqual(life.errorUntil)
        expect(keepUntil(life)).toBe(createdAt + ttl + Math.max(swr, sie))
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
