/** A process that holds a lease is killed, or stands still for longer than the lease lasts. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { command } from "../../test/servers/redis.js"
import { figuresOf, sumOf } from "../audit.js"
import type { Finding } from "../figures.js"
import { machineMillis } from "../machineMillis.js"
import { leaseDuration, processes } from "../settings.js"
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

interface Mishap {
  readonly fault: string
  /** Its report is gone with it. */
  readonly isFatal: boolean
  readonly happens: (holder: Member) => Effect.Effect<void, unknown>
  /** When others have their value. */
  readonly ends: (holder: Member) => Effect.Effect<void, unknown>
}

const mishaps: ReadonlyArray<Mishap> = [
  {
    fault: "process killed while it holds a lease",
    isFatal: true,
    happens: ({ process }) => process.kill,
    ends: ({ replace }) => replace
  },
  {
    fault: "process paused beyond its lease",
    isFatal: false,
    happens: ({ process }) => process.pause,
    ends: ({ process }) => process.resume
  }
]

export const holders = (rounds: number) =>
  Effect.forEach(mishaps, (mishap) => Effect.scoped(underMishap(mishap, rounds)))

/** Of the others; and of the holder, who is struck meanwhile. */
const creatorTime = 200
const holdsFor = 1_500

const underMishap = ({ ends, fault, happens, isFatal }: Mishap, rounds: number) =>
  Effect.gen(function* () {
    const stage = yield* startStage()
    const [holder, ...others] = stage.members
    if (holder === undefined) return yield* Effect.dieMessage("there is no process")
    const died: Array<Report> = []
    let calms = none
    let slowest = 0
    for (let round = 0; round < rounds; round++) {
      const key = `held-${round}`
      yield* untilWell(stage)
      calms = together(calms, yield* calmly(stage, Effect.sleep("1 second")))
      if (isFatal) died.push(yield* holder.process.ask("report"))
      const building = holder.process.ask("build", { key, millis: holdsFor })
      yield* Effect.forkScoped(Effect.ignore(building))
      yield* untilHeld(stage, key)
      yield* happens(holder)
      const began = machineMillis()
      const built = yield* Effect.forEach(
        others,
        ({ process }) => process.ask("build", { key, millis: creatorTime }),
        { concurrency: "unbounded" }
      )
      slowest = Math.max(slowest, machineMillis() - began - creatorTime)
      if (new Set(built).size !== 1) {
        return yield* Effect.dieMessage(`of one value they got ${built.join(", ")}`)
      }
      yield* ends(holder)
    }
    yield* untilWell(stage)
    calms = together(calms, yield* calmly(stage, Effect.sleep("2 seconds")))
    const sum = sumOf([...(yield* reportsOf(stage)), ...died])
    const left = yield* leftOver(stage)
    const finding: Finding = {
      fault,
      how:
        `${rounds} ×, ${processes} processes, a lease of ${leaseDuration / 1_000} s; ` +
        "the slowest of the others, who wait for it",
      figures: {
        ...figuresOf(sum, calms),
        slowest: { value: slowest },
        left: { value: left }
      },
      samples: [...sum.samples, ...calms.samples]
    }
    return finding
  })

const untilHeld = ({ server }: Stage, key: string) =>
  Effect.repeat(command(server, "KEYS", `larder!lease:*${key}*`), {
    until: (keys) => Array.isArray(keys) && keys.length > 0,
    schedule: Schedule.spaced("5 millis")
  })
