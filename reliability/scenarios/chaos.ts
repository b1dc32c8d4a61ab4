/** All faults, at random, one after the other: some befall all processes, some but a few. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { figuresOf, sumOf } from "../audit.js"
import { type Fault, faults } from "../faults.js"
import type { Finding } from "../figures.js"
import { machineMillis } from "../machineMillis.js"
import { processes } from "../settings.js"
import {
  calmly,
  leftOver,
  type Member,
  reportsOf,
  type Stage,
  startStage,
  untilWell
} from "../stage.js"
import type { Report } from "../traffic.js"
import { none, together } from "../truth.js"

/** Longest, in milliseconds. */
const longest = 4_000

export const chaos = (minutes: number) =>
  Effect.scoped(
    Effect.gen(function* () {
      const stage = yield* startStage()
      const ends = machineMillis() + minutes * 60_000
      let befallen = 0
      const died: Array<Report> = []
      let calms = none
      const heaps: Array<ReadonlyArray<number>> = []

      const befall = Effect.gen(function* () {
        const chance = yield* Random.next
        yield* chance < 0.1 ? kill(stage, died) : chance < 0.2 ? pause(stage) : hurt(stage)
        befallen++
      })
      const rest = Effect.gen(function* () {
        yield* untilWell(stage)
        calms = together(calms, yield* calmly(stage, Effect.sleep("2 seconds")))
        heaps.push(yield* heapsOf(stage))
      })
      yield* rest
      while (machineMillis() < ends) {
        for (let nth = yield* Random.nextIntBetween(1, 6); nth > 0; nth--) yield* befall
        yield* rest
      }
      const reports = yield* reportsOf(stage)
      const sum = sumOf([...reports, ...died])
      // Of one that was paused itself, the time would say how long.
      const { slowestLookup } = sumOf(reports.slice(0, watched))
      const left = yield* leftOver(stage)
      const finding: Finding = {
        fault: "all of them at random",
        how:
          `${minutes} min, ${processes} processes, ${sum.writes} writes, ${befallen} faults; ` +
          `${sum.joined} lookups joined an older creator`,
        figures: {
          ...figuresOf({ ...sum, slowestLookup }, calms),
          left: { value: left },
          heap: { value: growth(heaps) }
        },
        samples: [...sum.samples, ...calms.samples]
      }
      return finding
    })
  )

const anyOf = <A>(all: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, all.length), (at) => all[at] as A)

const aWhile = (most = longest) => Effect.flatMap(Random.nextIntBetween(100, most), Effect.sleep)

const hurt = (stage: Stage) =>
  Effect.gen(function* () {
    const fault: Fault = yield* anyOf(faults.filter(({ isLasting }) => isLasting !== true))
    const count = yield* Random.nextIntBetween(1, stage.wires.length + 1)
    const wires = (yield* Random.shuffle(stage.wires)).pipe((all) => [...all].slice(0, count))
    yield* Effect.scoped(Effect.zipRight(fault.happens({ ...stage, wires }), aWhile()))
    yield* aWhile(1_000)
  })

/** Killed and paused are others than those whose heap and lookups are watched to the end. */
const unwatched = ({ members }: Stage): Effect.Effect<Member> => anyOf(members.slice(watched))
const watched = 2

const kill = (stage: Stage, died: Array<Report>) =>
  Effect.gen(function* () {
    const member = yield* unwatched(stage)
    died.push(yield* member.process.ask("report"))
    yield* member.replace
  })

const pause = (stage: Stage) =>
  Effect.gen(function* () {
    const { process } = yield* unwatched(stage)
    yield* process.pause
    yield* aWhile()
    yield* process.resume
  })

const heapsOf = ({ members }: Stage) =>
  Effect.forEach(members.slice(0, watched), ({ process }) =>
    Effect.map(process.ask("leftovers"), ({ heap }) => heap)
  )

/** Between the medians of the first and of the last third, of the process that grew most; in MB. */
const growth = (heaps: ReadonlyArray<ReadonlyArray<number>>): number => {
  const third = Math.ceil(heaps.length / 3)
  const grown = Array.from({ length: watched }, (_, at) => {
    const series = heaps.map((each) => each[at] ?? Number.NaN)
    return median(series.slice(-third)) - median(series.slice(0, third))
  })
  return Math.max(0, ...grown) / 2 ** 20
}

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN
