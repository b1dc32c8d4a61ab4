/** Lasting entries in this process: they last as long as it does. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { StorageBackend, Stored } from "../port/StorageBackend.js"

/** Expiry is by Effect's `Clock`: with `TestClock`, entries expire when it is told to. */
export const make: Effect.Effect<StorageBackend> = Effect.map(Effect.clock, (clock) => {
  const entries = new Map<string, Stored>()

  const now = () => clock.unsafeCurrentTimeMillis()
  const isLive = (entry: Stored) => entry.expiresAt > now()
  const live = (key: string): Stored | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || isLive(entry)) return entry
    entries.delete(key)
    return undefined
  }

  // The keys as they are now: over the Map itself, who sets another one for each would never end.
  const search = (start: string) =>
    Stream.filterMap(
      Stream.suspend(() => Stream.fromIterable([...entries.keys()])),
      (key) => (key.startsWith(start) ? Option.fromNullable(live(key)) : Option.none())
    )

  const isOld = ({ createdAt, expiresAt }: Stored, olderThan: number | undefined): boolean =>
    olderThan !== undefined && expiresAt === Infinity && createdAt < now() - olderThan

  return {
    name: "memory",
    getMany: (keys) => Effect.sync(() => keys.map(live)),
    setMany: (written) =>
      Effect.sync(() => {
        const createdAt = now()
        for (const { ttl, ...entry } of written) {
          entries.set(entry.key, { ...entry, createdAt, expiresAt: createdAt + ttl })
        }
      }),
    deleteMany: (keys) =>
      Effect.sync(
        () => keys.filter((key) => live(key) !== undefined && entries.delete(key)).length
      ),
    exists: (key) => Effect.sync(() => live(key) !== undefined),
    keys: ({ start }) => Stream.map(search(start), ({ key }) => key),
    entries: ({ start }) => search(start),
    cleanup: (olderThan) =>
      Effect.sync(() => {
        const before = entries.size
        for (const [key, entry] of entries) {
          if (!isLive(entry) || isOld(entry, olderThan)) entries.delete(key)
        }
        return before - entries.size
      })
  }
})
