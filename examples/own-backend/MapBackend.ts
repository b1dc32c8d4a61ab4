import { Clock, Effect, Option, Stream } from "effect"
import { type CacheBackend, Lease } from "effect-larder"

const now = Effect.map(Clock.currentTimeNanos, (nanos) => Number(nanos) / 1e6)

/** A store over a Map. Over a database, each rule is one transaction or one script. */
export const make = (): CacheBackend => {
  const cells = new Map<string, Lease.Cell>()
  const step =
    <Args extends ReadonlyArray<unknown>, A>(
      rule: (cell: Lease.Cell, now: number, ...args: Args) => Lease.Step<A>
    ) =>
    (key: string, ...args: Args) =>
      Effect.map(now, (time) => {
        const { cell, reply } = rule(cells.get(key) ?? {}, time, ...args)
        if (Lease.isEmpty(cell)) cells.delete(key)
        else cells.set(key, cell)
        return reply
      })
  const read = step((cell, time) => ({ cell, reply: { ...Lease.settle(cell, time), time } }))
  const keysFrom = (start: string) =>
    Stream.suspend(() =>
      Stream.fromIterable([...cells.keys()].filter((key) => key.startsWith(start)))
    )
  return {
    name: "map",
    capabilities: { pushes: false, scan: true, bytes: true, shortestTtl: 0 },
    serverTime: (monotonic) => monotonic,
    getMany: Effect.forEach((key) => Effect.map(read(key), ({ value }) => value?.stored)),
    lease: step(Lease.lease),
    renew: step(Lease.renew),
    commit: step(Lease.commit),
    release: step(Lease.release),
    set: step(Lease.set),
    invalidate: step(Lease.invalidate),
    clear: (start) => Stream.runForEach(keysFrom(start), step(Lease.invalidate)),
    keys: (start) =>
      Stream.filterEffect(keysFrom(start), (key) =>
        Effect.map(read(key), ({ value }) => value !== undefined)
      ),
    holder: (key) =>
      Effect.map(read(key), ({ lease, time }) =>
        Option.map(Option.fromNullable(lease), ({ token, until }) => ({
          token,
          remaining: until - time
        }))
      ),
    subscribe: () => Effect.void
  }
}
