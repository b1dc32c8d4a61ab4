import { describe, expect, it } from "@effect/vitest"
import * as Fs from "node:fs"
import { chart } from "../bench/chart.js"
import type { Results } from "../bench/figures.js"
import { filesOf } from "../bench/markdown.js"
import { read } from "../bench/results.js"
import { sections } from "../bench/sections.js"

const folder = new URL("../bench/", import.meta.url)
const results = read()

describe("What is kept of the benchmark", () => {
  it("is what results.json gives: after a change, `npm run bench:results`", () => {
    for (const [path, text] of Object.entries(filesOf(results))) {
      expect(Fs.readFileSync(new URL(path, folder), "utf8"), path).toBe(text)
    }
  })

  it("has no chart of a case that is gone", () => {
    const charts = Fs.readdirSync(new URL("charts/", folder)).map((name) => `charts/${name}`)
    expect(Object.keys(filesOf(results))).toEqual(expect.arrayContaining(charts))
  })

  it("shows every chart that is drawn", () => {
    const { "RESULTS.md": text = "", ...charts } = filesOf(results)
    for (const path of Object.keys(charts)) expect(text).toContain(`](${path})`)
  })

  it("says of every case what it does", () => {
    for (const name of Object.keys(results.cases)) expect(sections[name]?.about, name).toBeTruthy()
  })
})

const made: Results = {
  ...results,
  cases: {
    hit: [
      {
        title: "Some",
        rounds: 3,
        targets: [{ what: "time at most 1 × slow", figure: "1.50 ×", isMet: false }],
        findings: [
          { peer: "effect-larder", nanoseconds: { q1: 90, median: 100, q3: 110 } },
          ...[
            { peer: "quick", ratio: 2 },
            { peer: "as quick", ratio: 1.004 },
            { peer: "slow", ratio: 0.5 }
          ].map(({ peer, ratio }) => ({
            peer,
            nanoseconds: { q1: 90, median: 100 / ratio, q3: 110 },
            oursToPeer: { q1: ratio, median: ratio, q3: ratio }
          }))
        ]
      }
    ],
    redisWakeUp: [
      {
        title: "Others",
        columns: ["", "wakes", "p50 (ms)"],
        rows: [
          ["effect-larder", 12, 3],
          ["quick", 4, 2]
        ],
        targets: []
      }
    ]
  }
}

describe("Where we lose", () => {
  const { "RESULTS.md": text = "" } = filesOf(made)

  it("names every peer that takes less time, and nobody else", () => {
    expect(text).toContain("- Some: quick 2.00 ×\n")
  })

  it("compares what is listed where it is a time", () => {
    expect(text).toContain("- Others, p50 (ms): quick 1.50 ×\n")
    expect(text).not.toContain("Others, wakes")
  })

  it("gives the reason of those that are known", () => {
    expect(text).toContain(sections["hit"]?.why)
    expect(text).not.toContain(sections["miss"]?.why)
  })

  it("says which targets are not met", () => {
    expect(text).toContain("- Some: time at most 1 × slow. It is 1.50 ×.")
  })
})

describe("A chart", () => {
  const drawn = chart("A < B", [
    { label: "long", value: 200, range: [150, 400], figure: "200 ns", isOurs: false },
    { label: "ours", value: 100, figure: "100 ns", isOurs: true }
  ])

  it("has the shortest first, and as long as its value", () => {
    expect([...drawn.matchAll(/<rect .*?width="([\d.]+)"/g)].map(([, width]) => width)).toEqual([
      "105.0",
      "210.0"
    ])
  })

  it("has room for the longest whisker", () => {
    expect(drawn).toContain("H700.0")
  })

  it("shows who is ours", () => {
    expect(drawn).toMatch(/font-weight="600">ours<.*\n<rect .*fill="#2f81f7"/)
  })

  it("is well-formed whatever is in a name", () => {
    expect(drawn).toContain("<title>A &lt; B</title>")
  })
})
