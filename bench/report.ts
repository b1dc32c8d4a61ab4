/** What a case found, and whether that is what we promise. */
import { cpu, growth, ratio, table, times, type Quartiles, type Turns } from "./harness.js"
import { ours } from "./peers.js"

export interface Target {
  readonly what: string
  readonly figure: string
  readonly isMet: boolean
}

export interface Finding {
  readonly peer: string
  readonly nanoseconds: Quartiles
  /** Our time as a share of this peer's, round by round; of ours, undefined. */
  readonly oursToPeer: Quartiles | undefined
  /** How long an operation kept this process busy. */
  readonly cpuNanoseconds: Quartiles | undefined
  /** What it left on the heap, in bytes, over all rounds. */
  readonly heapGrowth: number | undefined
}

/** Peers that took turns. */
export interface Comparison {
  readonly title: string
  readonly rounds: number
  readonly findings: ReadonlyArray<Finding>
  readonly targets: ReadonlyArray<Target>
}

/** What was counted, or timed otherwise than by turns. Units are in the names of the columns. */
export interface Listing {
  readonly title: string
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string | number>>
  readonly targets: ReadonlyArray<Target>
}

/** What it needs is not there. */
export interface Skipped {
  readonly title: string
  readonly skipped: string
  readonly targets: readonly []
}

export type Report = Comparison | Listing | Skipped

/** One file of `cases/`. `isQuick`: fewer rounds of the same. */
export type Case = (isQuick: boolean) => Promise<Report | ReadonlyArray<Report>>

export const report = (
  title: string,
  turns: Turns,
  targets: ReadonlyArray<Target>,
  { withCpu = false, withHeap = false } = {}
): Comparison => ({
  title,
  rounds: turns.get(ours)?.length ?? 0,
  findings: [...turns.keys()].map((peer) => ({
    peer,
    nanoseconds: times(turns, peer),
    oursToPeer: peer === ours ? undefined : ratio(turns, ours, peer),
    cpuNanoseconds: withCpu ? cpu(turns, peer) : undefined,
    heapGrowth: withHeap ? growth(turns, peer) : undefined
  })),
  targets
})

/** Our time is at most `limit` of the peer's. */
export const atMost = (turns: Turns, peer: string, limit: number): Target => {
  const { median } = ratio(turns, ours, peer)
  return {
    what: `time at most ${limit} × ${peer}`,
    figure: `${median.toFixed(2)} ×`,
    isMet: median <= limit
  }
}

/** We do at least `limit` times as much as the peer in the same time. */
export const timesAsFast = (turns: Turns, peer: string, limit: number): Target => {
  const { median } = ratio(turns, peer, ours)
  return {
    what: `throughput at least ${limit} × ${peer}`,
    figure: `${median.toFixed(2)} ×`,
    isMet: median >= limit
  }
}

export const print = (report: Report): string => {
  if ("skipped" in report) return `SKIPPED  ${report.title}: ${report.skipped}`
  const verdicts = report.targets.map(
    ({ figure, isMet, what }) => `  ${isMet ? "met    " : "NOT MET"}  ${what}: ${figure}`
  )
  const body =
    "findings" in report
      ? [`${report.title} (${report.rounds} rounds)`, "", comparison(report)]
      : [report.title, "", table([report.columns, ...report.rows.map((row) => row.map(shown))])]
  return [...body, "", ...verdicts].join("\n")
}

const shown = (it: string | number): string => (typeof it === "number" ? it.toFixed(2) : it)

const comparison = ({ findings }: Comparison): string => {
  const hasCpu = findings.some(({ cpuNanoseconds }) => cpuNanoseconds !== undefined)
  const hasHeap = findings.some(({ heapGrowth }) => heapGrowth !== undefined)
  const columns = (cpu: string, heap: string) => [
    ...(hasCpu ? [cpu] : []),
    ...(hasHeap ? [heap] : [])
  ]
  const head = ["", "median", "quartiles", "ours / peer", ...columns("CPU here", "heap")]
  const rows = findings.map(({ cpuNanoseconds, heapGrowth, nanoseconds, oursToPeer, peer }) => [
    peer,
    duration(nanoseconds.median),
    `${duration(nanoseconds.q1)} – ${duration(nanoseconds.q3)}`,
    oursToPeer === undefined ? "" : oursToPeer.median.toFixed(2),
    ...columns(duration(cpuNanoseconds?.median ?? NaN), bytes(heapGrowth))
  ])
  return table([head, ...rows])
}

const duration = (nanoseconds: number): string =>
  nanoseconds < 1_000
    ? `${nanoseconds.toFixed(0)} ns`
    : nanoseconds < 1_000_000
      ? `${(nanoseconds / 1_000).toFixed(2)} µs`
      : `${(nanoseconds / 1_000_000).toFixed(2)} ms`

export const bytes = (count: number | undefined): string =>
  count === undefined
    ? ""
    : `${count < 0 ? "−" : "+"}${(Math.abs(count) / 1_048_576).toFixed(2)} MB`
