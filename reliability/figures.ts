/** What a run finds, and what was promised of it. Pure: the page is made of it, too. */

export interface Guarantee {
  /** The head of its column. */
  readonly title: string
  /** More than this breaks it; undefined: it is a figure to know, and no promise. */
  readonly limit?: number
  readonly digits?: number
}

export const guarantees = {
  errors: { title: "caller errors", limit: 0 },
  staleHere: { title: "stale in the writer", limit: 0 },
  staleElsewhere: { title: "stale elsewhere once confirmed", limit: 0 },
  extra: { title: "loads too many while Redis is up", limit: 0 },
  slowest: { title: "slowest lookup beyond its creator (ms)" },
  closed: { title: "closed again (`openFor`)", limit: 1.1, digits: 2 },
  probes: { title: "probes in flight", limit: 2 },
  commands: { title: "commands a second to a Redis that is gone", digits: 1 },
  left: { title: "left over", limit: 0 },
  heap: { title: "heap growth (MB)", limit: 3, digits: 1 }
} satisfies Readonly<Record<string, Guarantee>>

export type GuaranteeName = keyof typeof guarantees

export interface Figure {
  readonly value: number
  /** Of how many. */
  readonly of?: number
}

/** What became of the guarantees that a fault puts to the test. */
export interface Finding {
  readonly fault: string
  /** What was done, how often and for how long. */
  readonly how: string
  readonly figures: Readonly<Partial<Record<GuaranteeName, Figure>>>
  /** What errors, and stale reads, there were: the first few. */
  readonly samples: ReadonlyArray<string>
}

/** A run, as results.json has it. */
export interface Results {
  readonly date: string
  readonly minutes: number
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly platform: string
    readonly node: string
    readonly load: ReadonlyArray<number>
  }
  readonly versions: Readonly<Record<string, string>>
  readonly findings: ReadonlyArray<Finding>
}

export const isBroken = (name: GuaranteeName, { value }: Figure): boolean => {
  const { limit }: Guarantee = guarantees[name]
  return limit !== undefined && !(value <= limit)
}

export const brokenIn = ({ figures }: Finding): ReadonlyArray<GuaranteeName> =>
  names.filter((name) => {
    const figure = figures[name]
    return figure !== undefined && isBroken(name, figure)
  })

export const names = Object.keys(guarantees) as ReadonlyArray<GuaranteeName>

export const shown = (name: GuaranteeName, { of, value }: Figure): string => {
  const { digits = 0 }: Guarantee = guarantees[name]
  const text = value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  })
  return of === undefined ? text : `${text} of ${of.toLocaleString("en")}`
}
