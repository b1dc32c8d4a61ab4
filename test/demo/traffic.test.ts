import { describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { type Line, textOf } from "../../examples/traffic/canvas.js"
import { chart } from "../../examples/traffic/chart.js"
import { heading, line } from "../../examples/traffic/plain.js"
import { arrivals, zipf } from "../../examples/traffic/requests.js"
import {
  expiries,
  type Mark,
  type Query,
  type Samples,
  savedPercent
} from "../../examples/traffic/samples.js"
import { svg } from "../../examples/traffic/svg.js"
import { clock, introduction, sum } from "../../examples/traffic/words.js"

// The pure parts of the demo's traffic; examples.test.ts runs it.

const demand = { seconds: 60, requestsPerSecond: 400, products: 30, skew: 1.1, seed: 42 }

/** One query in every `pause` seconds. */
const queries = (
  cache: Query["cache"],
  product: number,
  from: number,
  to: number,
  pause: number
): ReadonlyArray<Query> =>
  Array.from({ length: Math.round((to - from) / pause) }, (_, index) => ({
    cache,
    product,
    at: from + index * pause
  }))

const marks: ReadonlyArray<Mark> = [
  { event: "expiry", at: 13 },
  { event: "invalidation", at: 20, product: 1 },
  { event: "expiry", at: 26.5 },
  { event: "kill", at: 42, product: 1 },
  { event: "takeover", at: 47 },
  { event: "expiry", at: 58.5 }
]

const samples: Samples = {
  now: 59,
  requests: 23_600,
  marks,
  isOver: false,
  queries: [
    ...queries("naive", 1, 0, 1.5, 0.0025),
    ...queries("naive", 1, 13, 14.5, 0.005),
    ...queries("naive", 1, 20, 21, 0.01),
    ...queries("naive", 1, 26.5, 28, 0.004),
    ...queries("naive", 1, 42, 43, 0.01),
    ...queries("naive", 1, 58.5, 59, 0.005),
    ...queries("ours", 1, 0, 1, 0.025),
    ...queries("ours", 1, 10, 16, 0.2),
    ...queries("ours", 1, 42, 52, 5)
  ]
}

const before: Samples = { now: 0, requests: 0, marks: [], queries: [], isOver: false }

const text = (lines: ReadonlyArray<Line>) => `${lines.map(textOf).join("\n")}\n`

describe("the demo's requests", () => {
  it("are the same for the same seed, and others for another", () => {
    expect(arrivals(demand)).toEqual(arrivals(demand))
    expect(arrivals({ ...demand, seed: 43 })).not.toEqual(arrivals(demand))
  })

  it("come in order, within the minute, about as often as they should", () => {
    const times = arrivals(demand).map(({ at }) => at)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(times.at(0)).toBeGreaterThan(0)
    expect(times.at(-1)).toBeLessThan(60)
    // Five standard deviations.
    expect(Math.abs(times.length - 24_000)).toBeLessThan(5 * Math.sqrt(24_000))
  })

  it("are for products as Zipf's law has it", () => {
    const all = arrivals(demand)
    const ranks = Array.from({ length: 30 }, (_, index) => index + 1)
    const weights = ranks.map((rank) => rank ** -1.1)
    const whole = weights.reduce((total, weight) => total + weight, 0)
    for (const rank of ranks) {
      const count = all.filter(({ product }) => product === rank).length
      const share = (weights[rank - 1] ?? 0) / whole
      const deviation = Math.sqrt(all.length * share * (1 - share))
      expect(Math.abs(count - all.length * share), `rank ${rank}`).toBeLessThan(5 * deviation)
    }
  })

  it("are for the first rank at 0, and for the last just below 1", () => {
    const rankOf = zipf(2, 1)
    expect([0, 0.66, 0.67, 1 - Number.EPSILON].map(rankOf)).toEqual([1, 1, 2, 2])
  })
})

describe("the demo's samples", () => {
  it("show an entry expired where queries for it begin again, unless it has been invalidated", () => {
    const found = expiries(samples.queries, [1], marks, 3)
    expect(found).toEqual([13, 26.5, 58.5].map((at) => ({ event: "expiry", at })))
    expect(expiries(samples.queries, [2], [], 3)).toEqual([])
  })

  it("show entries that expire together as one expiry", () => {
    const again = samples.queries.map((query) => ({ ...query, product: 2, at: query.at + 0.5 }))
    const found = expiries([...samples.queries, ...again], [1, 2], marks, 3)
    expect(found.map(({ at }) => at)).toEqual([13, 20.5, 26.5, 42.5, 58.5])
  })

  it("give the share of load saved, rounded down", () => {
    expect(sum(samples)).toBe("share of load saved: 95.4% (1,575 -> 72 queries)")
    const one = { ...samples, queries: queries("naive", 1, 0, 1, 1 / 3000) }
    expect(savedPercent(one)).toBe(100)
    expect(
      savedPercent({ ...one, queries: [...one.queries, ...queries("ours", 1, 0, 1, 1)] })
    ).toBe(99.9)
    expect(savedPercent(before)).toBe(0)
    expect(savedPercent({ ...before, queries: queries("ours", 1, 0, 1, 1) })).toBe(0)
  })
})

describe("the demo's chart", () => {
  it.each([
    [80, 24],
    [200, 50],
    [60, 16]
  ])("is drawn for %i columns and %i rows", async (columns, rows) => {
    const lines = chart(samples, { columns, rows }, 60)
    expect(lines.length).toBeLessThan(rows)
    expect(Math.max(...lines.map((it) => textOf(it).length))).toBeLessThan(columns)
    await expect(text(lines)).toMatchFileSnapshot(`chart-${columns}x${rows}.txt`)
  })

  it("is as high before anything has come as at the end", () => {
    const size = { columns: 80, rows: 24 }
    expect(chart(before, size, 60)).toHaveLength(chart(samples, size, 60).length)
  })

  it("is cut off where the window is too narrow, and never wraps", () => {
    const lines = chart(samples, { columns: 30, rows: 24 }, 60)
    expect(lines.filter((it) => textOf(it).length >= 30)).toEqual([])
  })

  it("leaves out who comes after the minute, but counts him", () => {
    const late = {
      ...samples,
      queries: [...samples.queries, ...queries("naive", 1, 60, 63, 0.001)]
    }
    const size = { columns: 80, rows: 24 }
    const [drawn, expected] = [late, samples].map((it) => chart(it, size, 60).map(textOf))
    expect(drawn?.slice(2, -1)).toEqual(expected?.slice(2, -1))
    expect(drawn?.[1]).toContain("Redis with a ttl: 4,575 queries")
  })
})

describe("the demo's plain lines", () => {
  it("say what has come since the last", () => {
    const [early, late] = [15, 60].map((now) => ({
      ...samples,
      now,
      requests: now * 400,
      queries: samples.queries.filter(({ at }) => at < now),
      marks: marks.filter(({ at }) => at < now)
    }))
    expect([heading, line(early ?? before, before), line(late ?? before, early ?? before)]).toEqual(
      [
        "                       queries of  queries of\n" +
          "until  requests  Redis with a ttl  RedisCache",
        "0:15      6,000               900          65  expiry",
        "1:00     18,000               675           7  " +
          "invalidation, expiry, holder killed, taken over, expiry"
      ]
    )
  })

  it("fit into 80 columns, as does what is said first", () => {
    const all = line({ ...samples, marks: marks.slice(2, 5) }, before)
    const lines = [...heading.split("\n"), ...introduction.split("\n"), all]
    expect(lines.filter((it) => it.length > 80)).toEqual([])
  })

  it("give times as minutes and seconds", () => {
    expect([0, 9.99, 60, 61].map(clock)).toEqual(["0:00", "0:09", "1:00", "1:01"])
  })
})

describe("the demo's recording", () => {
  const film = {
    size: { columns: 80, rows: 23 },
    frameMillis: 250,
    holdMillis: 5_000,
    title: "A & B",
    description: "a < b"
  }
  const frames = [before, samples, samples].map((it) => chart(it, { columns: 80, rows: 24 }, 60))
  const recorded = svg(frames, film)

  it("shows each frame for its time, and holds the last", () => {
    expect(recorded.match(/animation-delay:\d+ms/g)).toEqual([
      "animation-delay:0ms",
      "animation-delay:250ms"
    ])
    expect(recorded).toContain("animation:frame 5500ms step-end infinite")
    expect(recorded).toContain("@keyframes last{0%{visibility:hidden}9.0909%{visibility:visible}}")
    expect(recorded.match(/class="last"/g)).toHaveLength(1)
  })

  it("defines a line once, however many frames show it, and uses none that it has not", () => {
    const defined = [...recorded.matchAll(/<g id="(\w+)">(.*)<\/g>/g)]
    expect(new Set(defined.map(([, , drawn]) => drawn)).size).toBe(defined.length)
    const used = new Set([...recorded.matchAll(/href="#(\w+)"/g)].map(([, name]) => name))
    expect(used).toEqual(new Set(["ground", ...defined.map(([, name]) => name)]))
  })

  it("says what is to be seen, with what means something to XML escaped", () => {
    expect(recorded).toContain('<title id="title">A &amp; B</title>')
    expect(recorded).toContain('<desc id="description">a &lt; b</desc>')
    expect(recorded).toContain("(1,575 -&gt; 72 queries)")
  })

  it("is in the repository, small, and needs nothing from elsewhere", () => {
    const kept = Fs.readFileSync(new URL("../../docs/demo.svg", import.meta.url), "utf8")
    expect(kept.length).toBeLessThan(300_000)
    expect(kept).toMatch(/>share of load saved: \d\d\.\d% \([\d,]+ -&gt; [\d,]+ queries\)</)
    expect(kept).not.toMatch(/<script|<foreignObject|@import|url\(|href="(?!#)/)
    expect(kept.match(/http[^"]*/g)).toEqual(["http://www.w3.org/2000/svg"])
  })
})
