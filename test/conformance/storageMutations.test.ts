import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Storage, type StorageBackend, type Stored, type Writing } from "effect-larder"
import { storageConformance } from "effect-larder/testing"
import { describe, expect, it } from "vitest"
import * as MemoryStorageBackend from "../../src/memory/MemoryStorageBackend.js"
import { verdictOn } from "./verdict.js"

// Would the suite for storages notice? Each mutant breaks one rule of a store in memory, most
// of them as some database would have it.

type Mutant = (inner: StorageBackend) => Partial<StorageBackend>

const suite = (mutant: Mutant, only?: ReadonlyArray<string>) => {
  const layer = Layer.unwrapEffect(
    Effect.map(MemoryStorageBackend.make, (inner) =>
      Storage.fromBackend({ ...inner, ...mutant(inner) })
    )
  )
  return verdictOn(
    (tests) => storageConformance("a mutant", layer, tests, { isShared: false }),
    only
  )
}

/** A store that takes some keys for others. */
const taking =
  (key: (key: string) => string): Mutant =>
  ({ deleteMany, exists, getMany, setMany }) => ({
    getMany: (keys) => getMany(keys.map(key)),
    setMany: (entries) => setMany(entries.map((entry) => ({ ...entry, key: key(entry.key) }))),
    deleteMany: (keys) => deleteMany([...new Set(keys.map(key))]),
    exists: (name) => exists(key(name))
  })

/** A store that writes something else than it is told. */
const writing =
  (change: (entry: Writing) => Partial<Writing>): Mutant =>
  ({ setMany }) => ({
    setMany: (entries) => setMany(entries.map((entry) => ({ ...entry, ...change(entry) })))
  })

/** A store that has its own ways to say what it has. */
const saying =
  (change: (entry: Stored) => Partial<Stored>): Mutant =>
  ({ entries, getMany }) => {
    const changed = (entry: Stored): Stored => ({ ...entry, ...change(entry) })
    return {
      getMany: (keys) => Effect.map(getMany(keys), (found) => found.map((it) => it && changed(it))),
      entries: (search) => Stream.map(entries(search), changed)
    }
  }

/** A store that finds fewer keys than there are. */
const missing =
  (isFound: (key: string, pattern: string) => boolean): Mutant =>
  ({ keys }) => ({
    keys: (search) => Stream.filter(keys(search), (key) => isFound(key, search.pattern))
  })

const any = "any text is a key, and no two texts the same"
const long = "long keys with a common beginning are kept apart"
const asSaid = "an entry lives as long as its ttl says"
const matches = "a pattern finds what it matches, and nothing else"

const mutants: Readonly<Record<string, { readonly mutant: Mutant; readonly noticed: string }>> = {
  "does not tell upper from lower case": {
    mutant: taking((key) => key.toLowerCase()),
    noticed: any
  },
  "ignores spaces at the end": { mutant: taking((key) => key.replace(/ +$/, "")), noticed: any },
  "composes accents": { mutant: taking((key) => key.normalize("NFC")), noticed: any },
  "ends keys at NUL": { mutant: taking((key) => key.replace(/\0.*/s, "")), noticed: any },
  "replaces half a surrogate pair": {
    mutant: taking((key) => Buffer.from(key).toString()),
    noticed: any
  },
  "cuts keys at 3,072 bytes": { mutant: taking((key) => key.slice(0, 3_072)), noticed: long },
  "has one name for the empty key and another": {
    mutant: taking((key) => key || " "),
    noticed: "a key needs no beginning"
  },
  "takes keys for patterns": {
    mutant: ({ deleteMany, keys }) => ({
      deleteMany: (asked) =>
        Effect.flatMap(Stream.runCollect(keys({ start: "", pattern: "*" })), (all) =>
          deleteMany(
            [...new Set(all)].filter((key) =>
              asked.some((it) => (it.endsWith("*") ? key.startsWith(it.slice(0, -1)) : it === key))
            )
          )
        )
    }),
    noticed: "statements, patterns and paths in keys do nothing"
  },
  "loses what is called __proto__": {
    mutant: writing(({ value }) => ({ value: value.replaceAll("__proto__", "proto") })),
    noticed: "what is called __proto__ or constructor is data, and pollutes nothing"
  },
  "keeps no metadata": {
    mutant: writing(() => ({ metadata: "{}" })),
    noticed: "metadata come back with the entry, and there are none unless they were given"
  },
  "takes no megabyte": {
    mutant: writing(({ value }) => ({ value: value.slice(0, 65_535) })),
    noticed: "any JSON value comes back as it was, and so does undefined"
  },
  "takes undefined for nothing": {
    mutant: ({ getMany }) => ({
      getMany: (keys) =>
        Effect.map(getMany(keys), (found) => found.map((it) => (it?.value ? it : undefined)))
    }),
    noticed: "any JSON value comes back as it was, and so does undefined"
  },
  "keeps the metadata of the first set": {
    mutant: ({ getMany, setMany }) => ({
      setMany: (entries) =>
        Effect.flatMap(getMany(entries.map(({ key }) => key)), (before) =>
          setMany(
            entries.map((it, index) => ({
              ...it,
              metadata: before[index]?.metadata ?? it.metadata
            }))
          )
        )
    }),
    noticed: "a second set leaves nothing of the first"
  },
  "keeps the time of the first set": {
    mutant: (inner) => {
      const first = new Map<string, number>()
      return saying(({ createdAt, key }) => {
        first.set(key, first.get(key) ?? createdAt)
        return { createdAt: first.get(key)! }
      })(inner)
    },
    noticed: "a second set leaves nothing of the first"
  },
  "counts lives in seconds": {
    mutant: writing(({ ttl }) => ({ ttl: Math.ceil(ttl / 1_000) * 1_000 })),
    noticed: "at its time an entry is gone, for every operation"
  },
  "counts lives in 31 bits": {
    mutant: writing(({ ttl }) => ({ ttl: ttl === Infinity ? ttl : Math.min(ttl, 2 ** 31 - 1) })),
    noticed: asSaid
  },
  "lets nothing live for good": {
    mutant: writing(({ ttl }) => ({ ttl: Math.min(ttl, 3_600_000_000) })),
    noticed: asSaid
  },
  "tells the time of another zone": {
    mutant: saying(({ createdAt, expiresAt }) => ({
      createdAt: createdAt + 3_600_000,
      expiresAt: expiresAt + 3_600_000
    })),
    noticed: "an entry knows when it was set, and when it expires"
  },
  "tells times in seconds": {
    mutant: saying(({ createdAt, expiresAt }) => ({
      createdAt: Math.floor(createdAt / 1_000) * 1_000,
      expiresAt: Math.floor(expiresAt / 1_000) * 1_000
    })),
    noticed: asSaid
  },
  "lists what has expired": {
    mutant: ({ keys, setMany }) => {
      const ever = new Set<string>()
      return {
        setMany: (entries) =>
          Effect.tap(setMany(entries), () => entries.forEach(({ key }) => ever.add(key))),
        keys: (search) =>
          Stream.concat(
            keys(search),
            Stream.suspend(() =>
              Stream.fromIterable([...ever].filter((key) => key.startsWith(search.start)))
            )
          )
      }
    },
    noticed: "at its time an entry is gone, for every operation"
  },
  "says that what has expired exists": {
    mutant: ({ setMany }) => {
      const ever = new Set<string>()
      return {
        setMany: (entries) =>
          Effect.tap(setMany(entries), () => entries.forEach(({ key }) => ever.add(key))),
        exists: (key) => Effect.sync(() => ever.has(key))
      }
    },
    noticed: "at its time an entry is gone, for every operation"
  },
  "negates a class with an exclamation mark": {
    mutant: missing((key, pattern) => !pattern.endsWith("[!a]") || !/[!a]$/.test(key)),
    noticed: matches
  },
  "takes a letter of several bytes for several": {
    mutant: missing((key, pattern) => !pattern.endsWith("?") || /^[\0-~]*$/.test(key)),
    noticed: matches
  },
  "takes a backslash in a prefix for an escape": {
    mutant: ({ keys }) => ({
      keys: (search) =>
        Stream.filter(keys(search), (key) => key.startsWith(search.start.replaceAll("\\", "")))
    }),
    noticed: "what a prefix has of patterns is text"
  },
  "lists the first thousand": {
    mutant: ({ keys }) => ({ keys: (search) => Stream.take(keys(search), 1_000) }),
    noticed: "thousands of keys come in pages, none missing"
  },
  "counts off the pages it has given": {
    mutant: ({ keys }) => ({
      keys: (search) =>
        Stream.paginateChunkEffect(0, (offset) =>
          Effect.map(Stream.runCollect(keys(search)), (all) => {
            const page = all.pipe((it) => Array.from(it).slice(offset, offset + 100))
            const next = page.length < 100 ? Option.none() : Option.some(offset + 100)
            return [Chunk.unsafeFromArray(page), next] as const
          })
        )
    }),
    noticed: "what is there all along comes, though others write meanwhile"
  },
  "answers in an order of its own": {
    mutant: ({ getMany }) => ({ getMany: (keys) => getMany(keys.toSorted()) }),
    noticed: "getMany answers in order, for missing keys and for keys that come twice"
  },
  "leaves out what is missing": {
    mutant: ({ getMany }) => ({
      getMany: (keys) => Effect.map(getMany(keys), (found) => found.filter((it) => it))
    }),
    noticed: "getMany answers in order, for missing keys and for keys that come twice"
  },
  "counts what it is asked to delete": {
    mutant: ({ deleteMany }) => ({
      deleteMany: (keys) => Effect.as(deleteMany(keys), keys.length)
    }),
    noticed: "deleteMany counts what was there"
  },
  "looks, and then deletes": {
    mutant: ({ deleteMany, getMany }) => ({
      deleteMany: (keys) =>
        Effect.map(getMany(keys), (found) => found.filter((it) => it).length).pipe(
          Effect.zipLeft(Effect.sleep(1)),
          Effect.zipLeft(deleteMany(keys))
        )
    }),
    noticed: "of many who delete the same keys at once, in any order, each entry counts for one"
  },
  "sets several one after the other": {
    mutant: ({ setMany }) => ({
      setMany: (entries) =>
        Effect.forEach(entries, (entry) => Effect.zipRight(setMany([entry]), Effect.yieldNow()), {
          discard: true
        })
    }),
    noticed: "of many who set the same keys at once, in any order, one is last in all of them"
  },
  "writes the value first, and then the rest": {
    mutant: ({ getMany, setMany }) => ({
      setMany: (entries) =>
        setMany(entries).pipe(
          Effect.zipRight(Effect.sleep(Number(entries[0]?.value) % 7)),
          Effect.zipRight(getMany(entries.map(({ key }) => key))),
          Effect.flatMap((found) =>
            setMany(entries.map((it, index) => ({ ...it, value: found[index]?.value ?? it.value })))
          )
        )
    }),
    noticed: "of many who write one key at once one is last, in value, metadata and ttl"
  },
  "loses a write in a hundred": {
    mutant: ({ setMany }) => {
      let writes = 0
      return {
        setMany: (entries) =>
          Effect.suspend(() => (++writes % 100 === 0 ? Effect.void : setMany(entries)))
      }
    },
    noticed: "of 200 who write at once none is lost"
  },
  "knows no versions": {
    mutant: writing(() => ({ version: 1 })),
    noticed: "what an earlier version has written is read through the migrations"
  },
  "cleans up what does not expire": {
    mutant: ({ cleanup }) => ({ cleanup: (olderThan) => cleanup(olderThan ?? 0) }),
    noticed: "what does not expire is cleaned up by its age alone, and only if that is asked for"
  },
  "cleans up what has expired alone": {
    mutant: ({ cleanup }) => ({ cleanup: () => cleanup(undefined) }),
    noticed: "what does not expire is cleaned up by its age alone, and only if that is asked for"
  },
  "cleans up and does not count": {
    mutant: ({ cleanup }) => ({ cleanup: (olderThan) => Effect.as(cleanup(olderThan), 0) }),
    noticed: "cleanup removes what has expired, and counts it"
  },
  "keeps what has expired when it is met": {
    mutant: (inner) => {
      let kept = 0
      return {
        getMany: (keys) =>
          Effect.tap(inner.getMany(keys), (found) => {
            kept += found.filter((it) => it === undefined).length
          }),
        cleanup: (olderThan) => Effect.map(inner.cleanup(olderThan), (count) => count + kept)
      }
    },
    noticed: "what has expired is removed when it is met"
  }
}

describe("the suite for storages", () => {
  it("objects to nothing where no rule is broken", async () => {
    const { messages, passed } = await suite(() => ({}))
    expect([...messages.values()]).toEqual([])
    expect(passed.length).toBeGreaterThan(40)
  })

  it.each(Object.entries(mutants))("objects to a store that %s", async (_, one) => {
    const { failed } = await suite(one.mutant, [one.noticed])
    expect(failed).toEqual([one.noticed])
  })
})
