/** A server that was gone is back: how soon it is used again, and what is sent to it until then. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { Cache } from "effect-larder"
import { sentMeanwhile, timeToClosed } from "../../reliability/audit.js"
import { named } from "../../reliability/faults.js"
import { machineMillis } from "../../reliability/machineMillis.js"
import { startTraffic } from "../../reliability/traffic.js"
import { inMemory } from "../../reliability/truth.js"
import { startWire } from "../../reliability/wire.js"
import { seedOf } from "../redis/chance.js"
import { eventually, startInstance } from "../redis/traffic.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"

const commandTimeout = 200
const openFor = 1_000
const successThreshold = 2
/** What a busy machine may add. */
const slack = 200

const ways = [
  "server stopped, and continued",
  "server killed, and restarted empty",
  "network swallows everything",
  "connections refused",
  "replies later than the time of a command"
]

describeWithServer("A server that is back", ["redis-server"], () => {
  const seed = seedOf("a server that is back")

  for (const name of ways) {
    it.scopedLive(`is used within openFor and a tenth, and sees no flood before: ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const wire = yield* startWire(server)
        const breaker = { openFor, successThreshold }
        const { run } = yield* startInstance({ url: wire.url, commandTimeout }, { breaker })
        const traffic = startTraffic({ truth: inMemory(), here: 0, writers: 1, readers: 30 })
        const scope = yield* Effect.scope
        const { transitions } = yield* run(Scope.extend(traffic, scope))
        const circuit = Effect.map(run(Cache.health), ({ circuit }) => circuit)
        yield* eventually(
          Effect.sync(() => wire.seen.length > 50),
          "the server is used"
        )

        const began = machineMillis()
        const fault = named(name).happens({ server, wires: [wire], commandTimeout })
        const lasts = Effect.sleep(openFor * (1 + (yield* Random.next)))
        yield* Effect.scoped(Effect.zipRight(fault, lasts))
        const ended = machineMillis()
        yield* eventually(
          Effect.map(circuit, (state) => state === "closed"),
          "the circuit is closed"
        )
        const outage = { began, ended, transitions, seen: wire.seen, commandTimeout }
        expect(timeToClosed(outage)).toBeLessThan(openFor * 1.1 + slack)
        const { commands, inFlight, millis } = sentMeanwhile(outage)
        expect(millis).toBeGreaterThan(0)
        expect(inFlight).toBeLessThanOrEqual(successThreshold)
        // One for each time that it was tried in vain.
        expect(commands).toBeLessThanOrEqual(Math.ceil(millis / openFor))
      }).pipe(
        Effect.withRandom(Random.make(seed)),
        Effect.provide(Logger.remove(Logger.defaultLogger))
      )
    )
  }
})
