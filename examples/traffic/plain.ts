// Where nobody watches, in a file or a log: a line for every five seconds.
import { Console, Effect } from "effect"
import type { View } from "./minute.js"
import { count, type Samples } from "./samples.js"
import * as Scenario from "./scenario.js"
import { clock, eventOf, nameOf, number, sum } from "./words.js"

const every = 5

const row = (...[time, requests, naive, ours, events]: ReadonlyArray<string>): string =>
  [time?.padEnd(5), requests?.padStart(9), naive?.padStart(17), ours?.padStart(11), ` ${events}`]
    .join(" ")
    .trimEnd()

export const heading = [
  row("", "", "queries of", "queries of", ""),
  row("until", "requests", nameOf.naive, nameOf.ours, "")
].join("\n")

const nothing: Samples = { now: 0, requests: 0, queries: [], marks: [], isOver: false }

/** What has come since. */
export const line = (samples: Samples, before: Samples): string => {
  const since = (cache: "naive" | "ours") => count(samples, cache) - count(before, cache)
  const events = samples.marks
    .filter(({ at, event }) => !before.marks.some((it) => it.event === event && it.at === at))
    .map(({ event }) => eventOf[event])
  return row(
    clock(samples.now),
    number(samples.requests - before.requests),
    number(since("naive")),
    number(since("ours")),
    events.join(", ")
  )
}

export const makePlain = Effect.gen(function* () {
  let before = nothing
  let due = every
  yield* Console.log(heading)
  const view: View = {
    everyMillis: 50,
    show: (samples) =>
      Effect.gen(function* () {
        const isDue = samples.now >= due && due < Scenario.seconds
        if (isDue || samples.isOver) yield* Console.log(line(samples, before))
        if (samples.isOver) yield* Console.log(`\n${sum(samples)}`)
        if (!isDue) return
        before = samples
        due += every
      })
  }
  return view
})
