import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { absences, coldStart } from "../../reliability/scenarios/coldStart.js"
import { failureThreshold } from "../../reliability/settings.js"
import { describeWithServer } from "../servers/describeWithServer.js"

const commandTimeout = 300
/** What a busy machine may add. */
const slack = 1_000

describeWithServer("Redis is not there", ["redis-server"], () => {
  for (const fault of absences) {
    it.live(`from the start (${fault.name}): 500 callers of a cold key make one load`, () =>
      Effect.gen(function* () {
        const { crowd, errors, loads, untilOpen } = yield* coldStart(fault, commandTimeout)
        expect({ loads, errors }).toEqual({ loads: 1, errors: 0 })
        expect(crowd).toBeLessThan(commandTimeout + slack)
        // And where it goes later, all who come before the circuit is open spend no more.
        expect(untilOpen).toBeLessThan(failureThreshold * commandTimeout + slack)
      }).pipe(Effect.provide(Logger.remove(Logger.defaultLogger)))
    )
  }
})
