/**
 * The port of `port/StorageBackend.ts` over a Redis client.
 *
 * An entry is a text at `P:k`. The server's own expiry decides when its time is over; the
 * expiry that it tells of itself is for readers, and for an entry that has lost the server's.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { escapeGlob, widenedGlob } from "../policy/glob.js"
import { userKey, valueKey } from "../policy/keys.js"
import { decodeStored, encodeStored, readHead } from "../policy/storageEnvelope.js"
import type { BackendError } from "../port/CacheBackend.js"
import { now, unsafeNow } from "../port/monotonic.js"
import { Unfibered } from "../port/unfibered.js"
import {
  type Search,
  type StorageBackend,
  StorageError,
  type Stored,
  type Writing
} from "../port/StorageBackend.js"
import { fault, holdTogether, isAnswered, send, sending, sendTogether } from "./driver.js"
import { pages, undisturbedStream } from "./passes.js"
import type { Service } from "./RedisClient.js"
import { keepText } from "./steps.js"
import { isNoText, notOurs, storageFault } from "./storageFault.js"
import { type Found, groupsOf, readMany, stranger } from "./storageReads.js"
import { headsOf } from "./storageHeads.js"
import { removeIfSeen } from "./storageRemoval.js"
import { setCall, setTogether, type Text } from "./storageWrites.js"
import { fromWire, toWire } from "./wire.js"

/** How many entries of a page are removed at a time. */
const atATime = 64

const troubleIn = ({ links }: Service): string | undefined =>
  links.map((link) => link.trouble()).find((it) => it !== undefined)

export const make = (client: Service, prefix: string): StorageBackend => {
  const [main] = client.links
  const { commandTimeout } = client.limits
  const start = valueKey(prefix, "")

  const wireKeyOf = (key: string): string => toWire(valueKey(prefix, key))
  const keyOf = (wireKey: string): string => userKey(prefix, fromWire(wireKey)) ?? ""

  const telling = (operation: string) => (error: BackendError | StorageError) =>
    error instanceof StorageError
      ? error
      : storageFault(client, operation, error, troubleIn(client))

  const isOver = ({ expiresAt }: Pick<Stored, "expiresAt">, wireKey: string, time: number) =>
    expiresAt <= main.clockOf(wireKey).at(time)

  /** It says that its time is over. So it is, unless the server still counts. */
  const isGone = (wireKey: string, head: string): Effect.Effect<boolean, BackendError> =>
    Effect.flatMap(
      Effect.suspend(() => send(client.linkOf(wireKey).sender(), "get", "PTTL", [wireKey])),
      (life) =>
        Number(life) >= 0
          ? Effect.succeed(false)
          : Effect.as(removeIfSeen(commandTimeout, client.linkOf(wireKey), wireKey, head), true)
    )

  const decodeAll = (
    operation: string,
    keys: ReadonlyArray<string>,
    wireKeys: ReadonlyArray<string>,
    found: ReadonlyArray<Found>
  ): Effect.Effect<ReadonlyArray<Stored | undefined>, BackendError | StorageError> =>
    Effect.withFiberRuntime((fiber) => {
      const time = unsafeNow(fiber)
      const stored: Array<Stored | undefined> = []
      const over: Array<number> = []
      for (let index = 0; index < wireKeys.length; index++) {
        const key = keys[index]!
        const text = found[index]
        const form =
          text === undefined ? undefined : text === stranger ? isNoText : decodeStored(text)
        if (typeof form === "string") {
          return Effect.fail(notOurs(operation, key, form))
        }
        stored.push(form && { key, ...form })
        if (form !== undefined && isOver(form, wireKeys[index]!, time)) over.push(index)
      }
      if (over.length === 0) return Effect.succeed(stored)
      return Effect.as(
        Effect.forEach(
          over,
          (index) =>
            Effect.map(
              isGone(wireKeys[index]!, readHead(String(found[index]))?.text ?? ""),
              (gone) => {
                if (gone) stored[index] = undefined
              }
            ),
          { concurrency: atATime, discard: true }
        ),
        stored
      )
    })

  const read = (
    operation: string,
    keys: ReadonlyArray<string>,
    wireKeys: ReadonlyArray<string> = keys.map(wireKeyOf)
  ) =>
    Effect.flatMap(readMany(client, operation, wireKeys), (found) =>
      decodeAll(operation, keys, wireKeys, found)
    )

  // Field by field: a rest of an object is dear, and there may be thousands.
  const textOf = (entry: Writing, time: number): Text => {
    const { key, metadata, ttl, value, version } = entry
    const wireKey = wireKeyOf(key)
    const createdAt = Math.floor(main.clockOf(wireKey).at(time))
    const text = encodeStored({ value, metadata, version, createdAt, expiresAt: createdAt + ttl })
    return { wireKey, text, life: keepText(ttl) }
  }

  const setOne = (text: Text): Effect.Effect<void, BackendError> =>
    new Unfibered((settle) => {
      const [name, ...args] = setCall(text)
      const to = client.linkOf(text.wireKey).sender()
      holdTogether(to)
      sending(to, "set", name, args, "text")((exit) => settle(Exit.asVoid(exit)))
    })

  const setGroup = (texts: ReadonlyArray<Text>): Effect.Effect<void, BackendError> => {
    const [first, ...others] = texts
    if (first === undefined) return Effect.void
    return others.length === 0
      ? setOne(first)
      : setTogether(commandTimeout, client.linkOf(first.wireKey), texts)
  }

  const found = (operation: string, { pattern }: Pick<Search, "pattern">) =>
    undisturbedStream(
      main,
      operation,
      pages(main, operation, start, widenedGlob(escapeGlob(start) + pattern, toWire))
    )

  const cleanPage = (
    wireKeys: ReadonlyArray<string>,
    olderThan: number | undefined
  ): Effect.Effect<number, BackendError> =>
    Effect.gen(function* () {
      const time = yield* now
      const heads = yield* headsOf(main, "cleanup", wireKeys)
      const removed = yield* Effect.forEach(
        heads.filter(([wireKey, { createdAt, expiresAt }]) =>
          expiresAt === Infinity
            ? olderThan !== undefined && createdAt < main.clockOf(wireKey).at(time) - olderThan
            : isOver({ expiresAt }, wireKey, time)
        ),
        ([wireKey, { text }]) =>
          removeIfSeen(commandTimeout, client.linkOf(wireKey), wireKey, text),
        { concurrency: atATime }
      )
      return removed.filter((wasThere) => wasThere).length
    })

  return {
    name: "redis",
    getMany: (keys) => Effect.mapError(read("get", keys), telling("get")),
    setMany: (entries) =>
      Effect.withFiberRuntime<void, BackendError>((fiber) => {
        const time = unsafeNow(fiber)
        const texts = entries.map((entry) => textOf(entry, time))
        const groups = groupsOf(client, texts, ({ wireKey }) => wireKey)
        return groups.length < 2
          ? setGroup(groups[0] ?? [])
          : Effect.forEach(groups, setGroup, { concurrency: "unbounded", discard: true })
      }).pipe(Effect.mapError(telling("set"))),
    deleteMany: (keys) =>
      Effect.suspend(() => {
        const wireKeys = keys.map(wireKeyOf)
        const link = client.linkOf(wireKeys[0] ?? "")
        const calls = groupsOf(client, wireKeys, (it) => it).map(
          (group) => ["UNLINK", ...group] as const
        )
        return Effect.flatMap(sendTogether(link.sender(), "delete", calls), (answers) => {
          let count = 0
          for (const answer of answers) {
            if (!isAnswered(answer)) return Effect.fail(fault("delete", answer.reason))
            count += Number(answer.value)
          }
          return Effect.succeed(count)
        })
      }).pipe(Effect.mapError(telling("delete"))),
    exists: (key) =>
      Effect.gen(function* () {
        const wireKey = wireKeyOf(key)
        const link = client.linkOf(wireKey)
        const life = Number(yield* send(link.sender(), "exists", "PTTL", [wireKey]))
        if (life !== -1) return life >= 0
        // It is for good, or it has lost its expiry: it says itself.
        const time = yield* now
        const [head] = yield* headsOf(link, "exists", [wireKey])
        return head === undefined || !isOver(head[1], wireKey, time)
      }).pipe(Effect.mapError(telling("exists"))),
    keys: (search) =>
      found("keys", search).pipe(
        Stream.mapConcat((wireKeys) => wireKeys.map(keyOf)),
        Stream.mapError(telling("keys"))
      ),
    entries: (search) =>
      found("entries", search).pipe(
        Stream.mapEffect((wireKeys) => read("entries", wireKeys.map(keyOf), wireKeys)),
        Stream.mapConcat((stored) => stored.filter((it) => it !== undefined)),
        Stream.mapError(telling("entries"))
      ),
    cleanup: (olderThan) =>
      Stream.runFoldEffect(
        undisturbedStream(main, "cleanup", pages(main, "cleanup", start)),
        0,
        (count, wireKeys) => Effect.map(cleanPage(wireKeys, olderThan), (more) => count + more)
      ).pipe(Effect.mapError(telling("cleanup")))
  }
}
