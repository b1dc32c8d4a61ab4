/** What reports, and what was seen on the wires, come to. Pure. */
import type { Finding } from "./figures.js"
import type { Report, Transition } from "./traffic.js"
import type { Calm } from "./truth.js"
import type { Seen } from "./wire.js"

export const sumOf = (reports: ReadonlyArray<Report>) => {
  const add = (name: "lookups" | "writes" | "errors" | "staleHere" | "staleElsewhere" | "joined") =>
    reports.reduce((sum, report) => sum + report[name], 0)
  return {
    lookups: add("lookups"),
    writes: add("writes"),
    errors: add("errors"),
    staleHere: add("staleHere"),
    staleElsewhere: add("staleElsewhere"),
    joined: add("joined"),
    slowestLookup: Math.max(...reports.map(({ slowestLookup }) => slowestLookup)),
    samples: reports.flatMap(({ samples }) => samples).slice(0, 10)
  }
}

export const figuresOf = (
  { errors, lookups, slowestLookup, staleElsewhere, staleHere }: ReturnType<typeof sumOf>,
  { extra, loaded }: Calm
) =>
  ({
    errors: { value: errors, of: lookups },
    staleHere: { value: staleHere },
    staleElsewhere: { value: staleElsewhere },
    extra: { value: extra, of: loaded },
    slowest: { value: Math.max(0, slowestLookup) }
  }) satisfies Finding["figures"]

/** An outage as a process saw it, and its wire. Times are those of the machine. */
export interface Outage {
  readonly began: number
  readonly ended: number
  readonly transitions: ReadonlyArray<Transition>
  readonly seen: ReadonlyArray<Seen>
  readonly commandTimeout: number
}

/** How long after its end the circuit was closed; undefined if it was. */
export const timeToClosed = ({ ended, transitions }: Outage): number | undefined => {
  const last = transitions.findLast(({ at }) => at <= ended)
  if (last === undefined || last.to === "closed") return undefined
  const closed = transitions.find(({ at, to }) => at > ended && to === "closed")
  return closed === undefined ? Infinity : closed.at - ended
}

/** How long the circuit was not closed, and what was sent all the same. */
export interface Sent {
  readonly millis: number
  readonly commands: number
  /** At most, if each was on its way for as long as a command may take. */
  readonly inFlight: number
}

export const sentMeanwhile = (outage: Outage): Sent => {
  let millis = 0
  const sent: Array<number> = []
  for (const [from, to] of openings(outage)) {
    millis += to - from
    for (const { at, command } of outage.seen) {
      if (at >= from && at < to && isOfCache(command)) sent.push(at)
    }
  }
  const inFlight = sent.map(
    (at) => sent.filter((it) => it <= at && it > at - outage.commandTimeout).length
  )
  return { millis, commands: sent.length, inFlight: Math.max(0, ...inFlight) }
}

/** How exact the times are: commands are seen, and transitions heard of, up to so much later. */
const blur = 50

/**
 * From when the circuit opens in the outage until it is closed again, but for the moment in
 * which it is. What was sent before may come up to a command's time later.
 */
const openings = ({ began, commandTimeout, ended, transitions }: Outage) => {
  const found: Array<readonly [from: number, to: number]> = []
  let from: number | undefined
  for (const { at, to } of transitions) {
    if (to === "closed" && from !== undefined) found.push([from, at - blur])
    if (to === "closed") from = undefined
    else if (at >= began && at <= ended) from ??= at + commandTimeout + blur
  }
  if (from !== undefined) found.push([from, ended])
  return found.filter(([from, to]) => to > from)
}

/** And not of what makes or keeps a connection. */
const isOfCache = ([name = "", ...args]: ReadonlyArray<string>): boolean =>
  !name.endsWith("subscribe") && args.some((word) => /^larder[:!]/.test(word))
