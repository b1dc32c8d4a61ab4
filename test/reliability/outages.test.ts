/** A hundred outages, of random kinds and lengths, under callers who read and write at random. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { faults, type Scene } from "../../reliability/faults.js"
import { startTraffic } from "../../reliability/traffic.js"
import { inMemory, type Truth } from "../../reliability/truth.js"
import { startWire } from "../../reliability/wire.js"
import { seedOf } from "../redis/chance.js"
import { startInstance, untilShared } from "../redis/traffic.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"

const outages = 100
const commandTimeout = 100
const openFor = 300
const instances = 3

const silently = Effect.provide(Logger.remove(Logger.defaultLogger))

describeWithServer("A hundred outages", ["redis-server"], () => {
  const seed = seedOf("a hundred outages")

  it.scopedLive(
    "are seen by no caller, and nobody is given what is older than it may be",
    () =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const truth = inMemory()
        const start = (here: number) => startMember(server, truth, here)
        const [first, ...others] = yield* Effect.all([start(0), start(1), start(2)])
        const members = [first, ...others]
        const scene = { server, wires: members.map(({ wire }) => wire), commandTimeout }
        yield* Effect.replicateEffect(outage(scene), outages, { discard: true })
        yield* untilShared([first, ...others])

        const reports = members.map(({ report }) => report)
        const samples = reports.flatMap(({ samples }) => samples)
        expect(samples).toEqual([])
        for (const { errors, lookups, staleElsewhere, staleHere, writes } of reports) {
          expect({ errors, staleElsewhere, staleHere }).toEqual({
            errors: 0,
            staleElsewhere: 0,
            staleHere: 0
          })
          expect(lookups).toBeGreaterThan(200)
          expect(writes).toBeGreaterThan(20)
        }
        // And each of them has been without.
        for (const { transitions } of reports) expect(transitions.length).toBeGreaterThan(10)
      }).pipe(Effect.withRandom(Random.make(seed)), silently),
    120_000
  )
})

const startMember = (
  server: { readonly host: string; readonly port: number },
  truth: Truth,
  here: number
) =>
  Effect.gen(function* () {
    const wire = yield* startWire(server)
    const instance = yield* startInstance(
      { url: wire.url, commandTimeout },
      { lease: { duration: "300 millis" }, breaker: { openFor } }
    )
    const scope = yield* Effect.scope
    const traffic = startTraffic({ truth, here, writers: instances, clears: true })
    return { ...instance, wire, report: yield* instance.run(Scope.extend(traffic, scope)) }
  })

const outage = (scene: Scene) =>
  Effect.gen(function* () {
    const fault = faults[yield* Random.nextIntBetween(0, faults.length)]
    const wires = [...(yield* Random.shuffle(scene.wires))]
    const befallen = wires.slice(0, yield* Random.nextIntBetween(1, wires.length + 1))
    const lasts = Effect.sleep(yield* Random.nextIntBetween(20, 400))
    yield* Effect.scoped(
      Effect.zipRight(fault?.happens({ ...scene, wires: befallen }) ?? Effect.void, lasts)
    )
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 200))
  })
