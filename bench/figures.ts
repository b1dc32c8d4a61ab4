/** What a run finds, and how its figures are written. Pure: the results are made of it, too. */

/** Whom findings are relative to. */
export const ours = "effect-larder"

export interface Quartiles {
  readonly q1: number
  readonly median: number
  readonly q3: number
}

export interface Target {
  readonly what: string
  readonly figure: string
  readonly isMet: boolean
}

/** Who has to load for themselves when all ask at once: one in all processes, one in each, or everybody. */
export type Sharing = "all processes" | "a process" | "a caller"

export interface Finding {
  readonly peer: string
  readonly nanoseconds: Quartiles
  /** Our time as a share of this peer's, round by round; of ours, undefined. */
  readonly oursToPeer?: Quartiles | undefined
  /** How long an operation kept this process busy. */
  readonly cpuNanoseconds?: Quartiles | undefined
  /** What it left on the heap, in bytes, over all rounds. */
  readonly heapGrowth?: number | undefined
  /** How many loads an operation had, where it should have one. */
  readonly loads?: number | undefined
  readonly oneLoadFor?: Sharing | undefined
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
  /** The columns that are worth a chart each. */
  readonly charted?: ReadonlyArray<string>
  readonly targets: ReadonlyArray<Target>
}

/** What it needs is not there. */
export interface Skipped {
  readonly title: string
  readonly skipped: string
  readonly targets: readonly []
}

export type Report = Comparison | Listing | Skipped

/** A full run, as results.json has it. */
export interface Results {
  readonly date: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memory: string
    readonly platform: string
    readonly node: string
    readonly load: ReadonlyArray<number>
  }
  readonly versions: Readonly<Record<string, string>>
  readonly placement: string
  readonly isCollected: boolean
  /** What each case found, by its name. */
  readonly cases: Readonly<Record<string, ReadonlyArray<Report>>>
}

/** Head and body of a report's table. */
export const rowsOf = (report: Comparison | Listing): ReadonlyArray<ReadonlyArray<string>> =>
  "findings" in report
    ? comparisonRows(report.findings)
    : [report.columns, ...report.rows.map((row) => row.map(shown))]

const shown = (it: string | number): string =>
  typeof it === "string" ? it : Number.isInteger(it) ? it.toLocaleString("en") : it.toFixed(2)

interface Column {
  readonly head: string
  readonly cell: (finding: Finding) => string | undefined
}

const columns: ReadonlyArray<Column> = [
  { head: "", cell: ({ peer }) => peer },
  { head: "median", cell: ({ nanoseconds }) => duration(nanoseconds.median) },
  {
    head: "quartiles",
    cell: ({ nanoseconds: { q1, q3 } }) => `${duration(q1)} – ${duration(q3)}`
  },
  { head: "ours / peer", cell: ({ oursToPeer }) => oursToPeer?.median.toFixed(2) },
  {
    head: "CPU here",
    cell: ({ cpuNanoseconds: cpu }) => (cpu === undefined ? undefined : duration(cpu.median))
  },
  {
    head: "heap",
    cell: ({ heapGrowth }) => (heapGrowth === undefined ? undefined : bytes(heapGrowth))
  },
  { head: "loads", cell: ({ loads }) => loads?.toLocaleString("en") },
  { head: "one load for", cell: ({ oneLoadFor }) => oneLoadFor }
]

/** Only with columns in which there is something. */
const comparisonRows = (findings: ReadonlyArray<Finding>): ReadonlyArray<ReadonlyArray<string>> => {
  const filled = columns.filter(({ cell }) => findings.some((it) => cell(it) !== undefined))
  return [
    filled.map(({ head }) => head),
    ...findings.map((finding) => filled.map(({ cell }) => cell(finding) ?? ""))
  ]
}

export const duration = (nanoseconds: number): string =>
  nanoseconds < 1_000
    ? `${nanoseconds.toFixed(0)} ns`
    : nanoseconds < 1_000_000
      ? `${(nanoseconds / 1_000).toFixed(2)} µs`
      : `${(nanoseconds / 1_000_000).toFixed(2)} ms`

export const bytes = (count: number): string =>
  `${count < 0 ? "−" : "+"}${(Math.abs(count) / 1_048_576).toFixed(2)} MB`
