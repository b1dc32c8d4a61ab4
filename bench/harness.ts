/**
 * How peers are compared: in one process, turn by turn.
 *
 * A machine's speed drifts, by more than the differences in question. So in each
 * round every peer has its turn, in an order that rotates, and what counts is
 * the median of the ratios within a round; a time alone says little.
 */
import * as V8 from "node:v8"
import * as Vm from "node:vm"
import type { Quartiles } from "./figures.js"

export interface Peer {
  readonly name: string
  /** Operations in a turn. Fewer for a slow peer: times are given per operation. */
  readonly ops: number
  /** Before each turn, untimed. */
  readonly prepare?: () => unknown
  /** The turn. Gives what `expected` says it must, or the run fails. */
  readonly turn: (ops: number) => number | Promise<number>
  readonly expected: (ops: number) => number
}

export interface Method {
  readonly warmups: number
  readonly rounds: number
  /** Measure what each turn leaves on the heap, too. */
  readonly withHeap?: boolean
  /**
   * Collect garbage before each turn; default true. Not where the price of warm code
   * is in question: what has been compiled goes with the garbage. 100,000 hits then
   * take half as long again, and 500 lookups in Redis twice the CPU, the more the
   * longer the code.
   */
  readonly isCollectedFirst?: boolean
}

export interface Turn {
  /** Nanoseconds an operation took. */
  readonly time: number
  /** Nanoseconds that this process was busy with it, on all its threads: others' load is not in it. */
  readonly cpu: number
  /** What the turn left on the heap, in bytes; 0 if that is not measured. */
  readonly growth: number
}

/** The turns of each peer by name, a turn a round. */
export type Turns = ReadonlyMap<string, ReadonlyArray<Turn>>

const gcOf = (): (() => void) | undefined => {
  V8.setFlagsFromString("--expose-gc")
  const gc: unknown = Vm.runInNewContext("typeof gc === 'function' ? gc : undefined")
  return typeof gc === "function" ? () => void gc() : undefined
}

/** Collects garbage; undefined where the engine does not let us. */
export const collect = gcOf()

const heap = (): number => {
  collect?.()
  return process.memoryUsage().heapUsed
}

/** Gives every peer its turn, round by round. */
export const interleave = async (
  title: string,
  peers: ReadonlyArray<Peer>,
  { isCollectedFirst = true, rounds, warmups, withHeap = false }: Method
): Promise<Turns> => {
  const turns = new Map<string, Array<Turn>>(peers.map(({ name }) => [name, []]))
  announce(title)
  for (let round = -warmups; round < rounds; round++) {
    progress(round < 0 ? `${title}: warm-up` : `${title}: round ${round + 1} of ${rounds}`)
    for (const peer of rotated(peers, round + warmups)) {
      const turn = await take(peer, isCollectedFirst, withHeap)
      if (round >= 0) turns.get(peer.name)?.push(turn)
    }
  }
  progress("")
  return turns
}

/** Nobody pays for another's garbage if each turn begins with none. */
const take = async (
  { expected, name, ops, prepare, turn }: Peer,
  isCollectedFirst: boolean,
  withHeap: boolean
): Promise<Turn> => {
  await prepare?.()
  const before = isCollectedFirst || withHeap ? heap() : 0
  const busy = process.cpuUsage()
  const start = process.hrtime.bigint()
  const result = turn(ops)
  // A peer that gives its result at once is not billed for a tick.
  const actual = typeof result === "number" ? result : await result
  const time = Number(process.hrtime.bigint() - start) / ops
  const { system, user } = process.cpuUsage(busy)
  const cpu = ((system + user) * 1_000) / ops
  if (actual !== expected(ops)) {
    throw new Error(`${name} gave ${actual} where ${expected(ops)} was right`)
  }
  return { time, cpu, growth: withHeap ? heap() - before : 0 }
}

/** In turn, each comes first. */
export const rotated = <A>(items: ReadonlyArray<A>, by: number): ReadonlyArray<A> => {
  const start = by % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

export const quantile = (samples: ReadonlyArray<number>, share: number): number => {
  const sorted = samples.toSorted((a, b) => a - b)
  const place = share * (sorted.length - 1)
  const below = sorted[Math.floor(place)] ?? NaN
  const above = sorted[Math.ceil(place)] ?? NaN
  return below + (above - below) * (place % 1)
}

const quartiles = (samples: ReadonlyArray<number>): Quartiles => ({
  q1: quantile(samples, 0.25),
  median: quantile(samples, 0.5),
  q3: quantile(samples, 0.75)
})

const timesOf = (turns: Turns, name: string): ReadonlyArray<number> =>
  (turns.get(name) ?? []).map(({ time }) => time)

export const times = (turns: Turns, name: string): Quartiles => quartiles(timesOf(turns, name))

export const cpu = (turns: Turns, name: string): Quartiles =>
  quartiles((turns.get(name) ?? []).map((turn) => turn.cpu))

/** How many times as long `name` takes as `other`, round by round. */
export const ratio = (turns: Turns, name: string, other: string): Quartiles => {
  const others = timesOf(turns, other)
  return quartiles(timesOf(turns, name).map((time, round) => time / (others[round] ?? NaN)))
}

/** What all turns of a peer together left on the heap, in bytes. */
export const growth = (turns: Turns, name: string): number =>
  (turns.get(name) ?? []).reduce((sum, turn) => sum + turn.growth, 0)

/** On stderr, so that the tables can be piped; in place, where that is a terminal. */
export const progress = (line: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`)
}

export const announce = (title: string): void => {
  if (!process.stderr.isTTY) process.stderr.write(`${title} …\n`)
}

/** Columns as wide as they need be: the first to the left, the others to the right. */
export const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  )
  const line = (row: ReadonlyArray<string>) =>
    widths
      .map((width, column) =>
        column === 0 ? (row[column] ?? "").padEnd(width) : (row[column] ?? "").padStart(width)
      )
      .join("  ")
      .trimEnd()
  const [head = [], ...body] = rows
  return [line(head), widths.map((width) => "─".repeat(width)).join("  "), ...body.map(line)].join(
    "\n"
  )
}
