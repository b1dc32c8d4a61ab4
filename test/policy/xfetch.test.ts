import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { capDelta, isEarlyRefreshDue, isEarlyRefreshPossible } from "../../src/policy/xfetch.js"

const almostOne = 1 - 2 ** -53
const hour = 3_600_000

/** Both questions, as a reader asks them of an entry made at 0 that lives an hour. */
const fires = (remaining: number, delta: number, beta: number, random: number): boolean =>
  isEarlyRefreshPossible(hour - remaining, 0, hour, delta, beta) &&
  isEarlyRefreshDue(remaining, delta, beta, random)

/** mulberry32: 32 bits of a seeded, uniform [0, 1). */
const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let bits = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
  return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
}

describe("early refresh", () => {
  it("follows e^(−g / (beta · delta)): Kolmogorov–Smirnov, 100,000 draws a point", () => {
    const seed = Number(process.env["LARDER_SEED"] ?? 20150831)
    const draws = 100_000
    const grid = [2, 50, 1_000].flatMap((delta) => [0.5, 1, 3].map((beta) => ({ delta, beta })))
    // Alpha is 0.001 for the whole grid, so a ninth of that a point (Bonferroni).
    const alpha = 0.001 / grid.length
    const critical = Math.sqrt(-Math.log(alpha / 2) / (2 * draws))
    console.log(`K–S: seed ${seed}, alpha ${alpha.toExponential(2)}, D must be < ${critical}`)
    const random = seeded(seed)
    for (const { beta, delta } of grid) {
      const gaps = Array.from({ length: draws }, () => gapOf(delta, beta, random()))
      let distance = 0
      gaps
        .toSorted((a, b) => a - b)
        .forEach((gap, rank) => {
          // P(fire | remaining g) is P(gap ≥ g): what is left is the distribution of the gap.
          const expected = 1 - Math.exp(-gap / (beta * delta))
          distance = Math.max(distance, expected - rank / draws, (rank + 1) / draws - expected)
        })
      expect(distance, `delta ${delta}, beta ${beta}, seed ${seed}`).toBeLessThan(critical)
    }
  })

  /** The longest remaining time at which this draw still fires, by asking. */
  const gapOf = (delta: number, beta: number, draw: number): number => {
    let [low, high] = [0, 38 * delta * beta]
    for (let step = 0; step < 40; step++) {
      const middle = (low + high) / 2
      if (fires(middle, delta, beta, draw)) low = middle
      else high = middle
    }
    return high
  }

  it("no draw makes it due further off than 37 · beta · delta, nor any draw of 0", () => {
    expect(fires(36.7 * 100, 100, 1, almostOne)).toBe(true)
    expect(fires(36.8 * 100, 100, 1, almostOne)).toBe(false)
    // Further off the question is not even asked, so a wrong random cannot answer it.
    expect(isEarlyRefreshPossible(hour - 3_700, 0, hour, 100, 1)).toBe(true)
    expect(isEarlyRefreshPossible(hour - 3_700.1, 0, hour, 100, 1)).toBe(false)
    expect(fires(0.001, 100, 1, 0)).toBe(false)
    FastCheck.assert(
      FastCheck.property(
        FastCheck.double({ min: 0.001, max: 1e6, noNaN: true }),
        FastCheck.double({ min: 0.001, max: 100, noNaN: true }),
        FastCheck.double({ min: 0, max: almostOne, noNaN: true }),
        (delta, beta, draw) => {
          expect(isEarlyRefreshDue(37 * delta * beta, delta, beta, draw)).toBe(false)
        }
      )
    )
  })

  it("is never due where beta or delta is 0, or the entry does not expire", () => {
    for (const remaining of [0, 1, 10]) {
      expect(fires(remaining, 100, 0, almostOne)).toBe(false)
      expect(fires(remaining, 0, 1, almostOne)).toBe(false)
    }
    expect(isEarlyRefreshPossible(1_000, 0, Infinity, 100, 1)).toBe(false)
    expect(isEarlyRefreshPossible(1_000, 0, Infinity, 100, Infinity)).toBe(false)
    expect(isEarlyRefreshDue(1, 100, Infinity, 0)).toBe(false)
  })

  it("is never due before the entry is as old as its capped delta", () => {
    const delta = capDelta(5_000, 1_000)
    expect(delta).toBe(200)
    expect(isEarlyRefreshPossible(199, 0, 1_000, delta, 1)).toBe(false)
    expect(isEarlyRefreshPossible(200, 0, 1_000, delta, 1)).toBe(true)
  })

  it("delta is capped at a fifth of the ttl, and not at all without one", () => {
    expect(capDelta(100, 1_000)).toBe(100)
    expect(capDelta(1_000, 1_000)).toBe(200)
    expect(capDelta(1_000, Infinity)).toBe(1_000)
    expect(capDelta(1_000, 0)).toBe(0)
    // A fresh entry at the cap: e^-5 in its first moment, had it the age.
    expect(Math.exp(-1_000 / capDelta(1_000, 1_000))).toBeLessThan(0.007)
  })
})
