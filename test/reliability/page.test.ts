import { describe, expect, it } from "@effect/vitest"
import { embed } from "../../scripts/docs/embed.js"
import { read as readFile } from "../../scripts/docs/pages.js"
import { brokenIn, type Finding, type Results } from "../../reliability/figures.js"
import { pageOf } from "../../reliability/page.js"
import { page, read } from "../../reliability/results.js"

const results = read()

describe("The page of reliability", () => {
  it("is what results.json gives: after a change, `npm run reliability:results`", () => {
    expect(readFile(page)).toBe(embed(pageOf(results), page))
  })

  it("is of a run in which every guarantee was kept", () => {
    expect(results.findings.flatMap(brokenIn)).toEqual([])
  })
})

const finding = (fault: string, figures: Finding["figures"]): Finding => ({
  fault,
  how: "once",
  figures,
  samples: []
})

const made: Results = {
  ...results,
  findings: [
    finding("kept", { errors: { value: 0, of: 1_234 }, closed: { value: 1.1 } }),
    finding("broken", { errors: { value: 1, of: 10 }, closed: { value: Infinity } }),
    finding("unknown", { errors: { value: Number.NaN }, slowest: { value: 12_345 } })
  ]
}

describe("A guarantee", () => {
  const text = pageOf(made)

  it("is kept at its limit, and a figure says of how many it is", () => {
    expect(text).toContain("| kept | 0 of 1,234 |  |  |  |  |")
    expect(text).toContain("| kept | 1.10 |")
  })

  it("that is broken is in bold, and counted", () => {
    expect(text).toContain("| broken | **1 of 10** |")
    expect(text).toContain("| broken | **∞** |")
    expect(text).toContain("**Not kept** under 2 of 3 faults")
  })

  it("is not kept by what is no number", () => {
    expect(text).toContain("| unknown | **NaN** |")
  })

  it("without a limit is a figure to know", () => {
    expect(text).toContain("| 12,345 |")
    expect(brokenIn(finding("slow", { slowest: { value: 12_345 } }))).toEqual([])
  })
})
