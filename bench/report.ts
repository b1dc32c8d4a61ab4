/** Reports: what turns say, and whether that is what we promise. */
import { type Comparison, ours, type Report, rowsOf, type Sharing, type Target } from "./figures.js"
import { cpu, growth, ratio, table, times, type Turns } from "./harness.js"

export type { Report, Target } from "./figures.js"

/** One file of `cases/`. `isQuick`: fewer rounds of the same. */
export type Case = (isQuick: boolean) => Promise<Report | ReadonlyArray<Report>>

export interface Extras {
  readonly withCpu?: boolean
  readonly withHeap?: boolean
  /** Loads of an operation, by peer. */
  readonly loads?: ReadonlyMap<string, number>
  readonly oneLoadFor?: ReadonlyMap<string, Sharing>
}

export const report = (
  title: string,
  turns: Turns,
  targets: ReadonlyArray<Target>,
  { loads, oneLoadFor, withCpu = false, withHeap = false }: Extras = {}
): Comparison => ({
  title,
  rounds: turns.get(ours)?.length ?? 0,
  findings: [...turns.keys()].map((peer) => ({
    peer,
    nanoseconds: times(turns, peer),
    oursToPeer: peer === ours ? undefined : ratio(turns, ours, peer),
    cpuNanoseconds: withCpu ? cpu(turns, peer) : undefined,
    heapGrowth: withHeap ? growth(turns, peer) : undefined,
    loads: loads?.get(peer),
    oneLoadFor: oneLoadFor?.get(peer)
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
  const rounds = "findings" in report ? ` (${report.rounds} rounds)` : ""
  return [`${report.title}${rounds}`, "", table(rowsOf(report)), "", ...verdicts].join("\n")
}
