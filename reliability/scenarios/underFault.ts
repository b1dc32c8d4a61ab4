/** Traffic in several processes, and one fault again and again. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { figuresOf, sentMeanwhile, sumOf, timeToClosed } from "../audit.js"
import type { Fault } from "../faults.js"
import type { Finding } from "../figures.js"
import { machineMillis } from "../machineMillis.js"
import { commandTimeout, openFor, processes } from "../settings.js"
import { calmly, leftOver, reportsOf, startStage, untilWell } from "../stage.js"
import { none, together } from "../truth.js"

/** Long enough for a circuit to open, and to be tried in vain; and up to `openFor` longer. */
const least = openFor + 3 * commandTimeout
const aWhile = 1_000

export const underFault = (fault: Fault, rounds: number): Effect.Effect<Finding, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const stage = yield* startStage(fault.isLasting)
      const { members, wires } = stage
      const times: Array<{ readonly began: number; readonly ended: number }> = []
      let calms = none
      const calm = <E>(what: Effect.Effect<unknown, E>) =>
        Effect.map(calmly(stage, what), (loads) => {
          calms = together(calms, loads)
        })
      const recover = Effect.zipRight(
        untilWell(stage),
        Effect.replicateEffect(calm(Effect.sleep(aWhile)), 2, { discard: true })
      )
      yield* recover
      for (let round = 0; round < rounds; round++) {
        const began = machineMillis()
        const lasts = least + openFor * (yield* Random.next)
        const outage = Effect.scoped(Effect.zipRight(fault.happens(stage), Effect.sleep(lasts)))
        // Of a fault that keeps nobody from the server, loads count like any others.
        yield* fault.isHarmless === true ? calm(outage) : outage
        times.push({ began, ended: machineMillis() })
        yield* recover
      }
      const reports = yield* reportsOf(stage)
      const outages = reports.flatMap(({ transitions }, here) =>
        times.map((time) => ({
          ...time,
          transitions,
          seen: wires[here]?.seen ?? [],
          commandTimeout
        }))
      )
      const closed = outages.map(timeToClosed).filter((time) => time !== undefined)
      const sent = outages.map(sentMeanwhile)
      const cut = sent.filter(({ millis }) => millis > 0)
      const left = yield* leftOver(stage)
      const sum = sumOf(reports)
      return {
        fault: fault.name,
        how:
          `${rounds} × ${least / 1_000} to ${(least + openFor) / 1_000} s, ` +
          `${processes} processes, ${sum.writes} writes, ` +
          `${closed.length} of ${members.length * rounds} circuits open at the end; ` +
          `${sum.joined} lookups joined an older creator`,
        figures: {
          ...figuresOf(sum, calms),
          ...(closed.length > 0 && { closed: { value: Math.max(...closed) / openFor } }),
          ...(cut.length > 0 && {
            probes: { value: Math.max(...cut.map(({ inFlight }) => inFlight)) },
            commands: {
              value: Math.max(...cut.map(({ commands, millis }) => (commands / millis) * 1_000))
            }
          }),
          left: { value: left }
        },
        samples: [...sum.samples, ...calms.samples]
      }
    })
  )
