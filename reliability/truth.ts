/**
 * The rows that caches are over, in a database that is never down.
 *
 * Each has a version, which its writer raises before it tells the cache. What a reader may
 * be given is judged by versions; what may be loaded, by calms: see `Row.calm`.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Redis } from "ioredis"

export interface Row {
  readonly version: number
  /**
   * The number of the calm that lasts, empty while there is none. In a calm the server is up,
   * all circuits are closed, nothing is pending, and it has been so for the time of a lease:
   * no creator that began without one is still at work.
   */
  readonly calm: string
}

export interface Truth {
  readonly read: (row: string) => Effect.Effect<Row>
  /** Gives the new version. */
  readonly raise: (row: string) => Effect.Effect<number>
  /** From now on no process may be given an older one: the server has confirmed that write. */
  readonly promise: (row: string, version: number) => Effect.Effect<void>
  readonly promised: (row: string) => Effect.Effect<number>
  /** A creator has ended. Counted if the calm in which it began has lasted. */
  readonly loaded: (row: string, it: Row) => Effect.Effect<void>
  readonly beginCalm: Effect.Effect<void>
  /** How many versions were loaded within the calm, and how many loads there were too many. */
  readonly endCalm: Effect.Effect<Calm>
}

export interface Calm {
  readonly loaded: number
  readonly extra: number
  /** Which versions were loaded more than once. */
  readonly samples: ReadonlyArray<string>
}

export const none: Calm = { loaded: 0, extra: 0, samples: [] }

export const together = (one: Calm, other: Calm): Calm => ({
  loaded: one.loaded + other.loaded,
  extra: one.extra + other.extra,
  samples: [...one.samples, ...other.samples].slice(0, 10)
})

/** For caches in this process. */
export const inMemory = (): Truth => {
  const versions = new Map<string, number>()
  const promised = new Map<string, number>()
  const loads = new Map<string, number>()
  let calms = 0
  let calm = ""
  const now = (row: string): Row => ({ version: versions.get(row) ?? 0, calm })
  return {
    read: (row) => Effect.sync(() => now(row)),
    raise: (row) =>
      Effect.sync(() => {
        const version = now(row).version + 1
        versions.set(row, version)
        return version
      }),
    promise: (row, version) => Effect.sync(() => void promised.set(row, version)),
    promised: (row) => Effect.sync(() => promised.get(row) ?? 0),
    loaded: (row, it) =>
      Effect.sync(() => {
        if (it.calm === "" || it.calm !== calm) return
        const load = `${row} ${it.version}`
        loads.set(load, (loads.get(load) ?? 0) + 1)
      }),
    beginCalm: Effect.sync(() => void (calm = String(++calms))),
    endCalm: Effect.sync(() => {
      calm = ""
      const counts = [...loads]
      loads.clear()
      return sum(counts)
    })
  }
}

const sum = (counts: ReadonlyArray<readonly [load: string, count: number]>): Calm => ({
  loaded: counts.length,
  extra: counts.reduce((extra, [, count]) => extra + count - 1, 0),
  samples: counts.flatMap(([load, count]) => (count > 1 ? [`${load}: loaded ${count} times`] : []))
})

/** For several processes: in a Redis of its own. */
export const overRedis = (url: string): Effect.Effect<Truth, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => new Redis(url)),
      (database) => Effect.sync(() => database.disconnect())
    ),
    (database): Truth => {
      const ask = <A>(command: () => Promise<A>) => Effect.promise(command)
      return {
        read: (row) =>
          ask(async () => {
            const [calm, version] = await Promise.all([
              database.get("calm"),
              database.hget("versions", row)
            ])
            return { version: Number(version), calm: calm ?? "" }
          }),
        raise: (row) => ask(() => database.hincrby("versions", row, 1)),
        promise: (row, version) => ask(() => database.hset("promised", row, version)),
        promised: (row) => ask(async () => Number(await database.hget("promised", row))),
        loaded: (row, { calm, version }) =>
          ask(async () => {
            if (calm === "" || calm !== (await database.get("calm"))) return
            await database.hincrby("loads", `${row} ${version}`, 1)
          }),
        beginCalm: ask(async () => void (await database.set("calm", await database.incr("calms")))),
        endCalm: ask(async () => {
          await database.del("calm")
          const counts = await database.hgetall("loads")
          await database.del("loads")
          return sum(Object.entries(counts).map(([load, count]) => [load, Number(count)]))
        })
      }
    }
  )
