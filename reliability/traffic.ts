/** Callers who never rest, and what befell them. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Cache } from "effect-larder"
import { machineMillis } from "./machineMillis.js"
import type { Row, Truth } from "./truth.js"

export interface TrafficOptions {
  readonly truth: Truth
  /** Which of so many writers this is: each row has one of its own. */
  readonly here: number
  readonly writers: number
  readonly readers?: number
  /** Does it clear, too? Then a version may be loaded twice. */
  readonly clears?: boolean
}

export interface Report {
  lookups: number
  writes: number
  loads: number
  errors: number
  /** Reads that were given what is older than a write that had ended here. */
  staleHere: number
  /** And than a write elsewhere that the server had confirmed. */
  staleElsewhere: number
  /**
   * Reads that were given what was being created when they came, with the circuit open: older
   * than a confirmed write elsewhere by no more than that creator took.
   */
  joined: number
  /** Of a lookup, beyond its creator's own time; of a write. Milliseconds. */
  slowestLookup: number
  slowestWrite: number
  /** What the first few errors and stale reads were. */
  readonly samples: Array<string>
  readonly transitions: Array<Transition>
}

export interface Transition {
  readonly to: string
  readonly at: number
}

const emptyReport = (): Report => ({
  lookups: 0,
  writes: 0,
  loads: 0,
  errors: 0,
  staleHere: 0,
  staleElsewhere: 0,
  joined: 0,
  slowestLookup: 0,
  slowestWrite: 0,
  samples: [],
  transitions: []
})

const creatorTime = 30
const rowsEach = 8

interface Value {
  readonly version: number
  readonly by: number
  readonly madeAt: number
}

/** Reads everything, and writes the rows of its own, until the scope closes. */
export const startTraffic = ({
  clears = false,
  here,
  readers = 4,
  truth,
  writers
}: TrafficOptions): Effect.Effect<Report, never, Cache | Scope.Scope> =>
  Effect.gen(function* () {
    const report = emptyReport()
    const floors = new Map<string, number>()
    const unconfirmed: Array<readonly [row: string, version: number]> = []
    const rowOf = (writer: number) =>
      Effect.map(Random.nextIntBetween(0, rowsEach), (index) => `row:${writer}-${index}`)
    const sample = (text: string) => {
      if (report.samples.length < 10) report.samples.push(text)
    }

    const value = (version: number): Value => ({ version, by: here, madeAt: machineMillis() })
    const create = (row: string) =>
      Effect.gen(function* () {
        report.loads++
        const it: Row = yield* truth.read(row)
        yield* Effect.sleep(creatorTime)
        yield* truth.loaded(row, it)
        return value(it.version)
      })
    const isCut = Effect.map(Cache.health, ({ circuit }) => circuit !== "closed")

    const look = (row: string) =>
      Effect.gen(function* () {
        const promised = yield* truth.promised(row)
        const floor = floors.get(row) ?? 0
        const wasCut = yield* isCut
        const began = machineMillis()
        const exit = yield* Effect.exit(Cache.getOrCreate(row, create(row), { ttl: "1 hour" }))
        const took = machineMillis() - began
        report.lookups++
        report.slowestLookup = Math.max(report.slowestLookup, took - creatorTime)
        if (Exit.isFailure(exit)) {
          report.errors++
          return sample(`${row}: ${String(exit.cause)}`)
        }
        const { by, madeAt, version } = exit.value
        if (version >= Math.max(floor, promised)) return
        const hasJoined = by === here && madeAt > began && (wasCut || (yield* isCut))
        if (version < floor) report.staleHere++
        else if (hasJoined) return void report.joined++
        else report.staleElsewhere++
        sample(
          `${row} in ${here}: version ${version} by ${by}, made ${began - madeAt} ms before, ` +
            `not ${floor} or ${promised}, after ${took} ms`
        )
      })

    const read = Effect.gen(function* () {
      yield* look(yield* rowOf(yield* Random.nextIntBetween(0, writers)))
      yield* Effect.sleep(yield* Random.nextIntBetween(5, 25))
    })

    /** Of one fiber alone: what is unconfirmed must not grow between the look and the step. */
    const promise = Effect.gen(function* () {
      const { pendingInvalidations } = yield* Cache.health
      if (pendingInvalidations > 0) return
      for (const [row, version] of unconfirmed.splice(0)) yield* truth.promise(row, version)
    })

    const write = Effect.gen(function* () {
      const row = yield* rowOf(here)
      // So that nobody builds it now: of a lease that is revoked, those who wait for it may
      // build the next version each for themselves.
      yield* look(row)
      const version = yield* truth.raise(row)
      const chance = yield* Random.next
      const began = machineMillis()
      const how: Effect.Effect<unknown, never, Cache> =
        chance < 0.3
          ? Cache.set(row, value(version), { ttl: "1 hour" })
          : clears && chance < 0.35
            ? Cache.clear
            : Cache.invalidate(row)
      const exit = yield* Effect.exit(how)
      report.slowestWrite = Math.max(report.slowestWrite, machineMillis() - began)
      report.writes++
      if (Exit.isFailure(exit)) {
        report.errors++
        sample(`${row}: ${String(exit.cause)}`)
      }
      floors.set(row, version)
      unconfirmed.push([row, version])
      yield* promise
      yield* Effect.sleep(yield* Random.nextIntBetween(20, 100))
    })

    yield* Stream.runForEach(Cache.events, (event) =>
      Effect.sync(() => {
        if (event._tag !== "circuit") return
        report.transitions.push({ to: event.to, at: machineMillis() })
      })
    ).pipe(Effect.forkScoped)
    for (const fiber of [...Array.from({ length: readers }, () => read), write]) {
      yield* Effect.forkScoped(Effect.forever(fiber))
    }
    return report
  })
