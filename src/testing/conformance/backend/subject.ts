/** What a test of a backend has in hand: the backend, and a prefix that nobody else uses. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { tokens } from "../../../core/tokens.js"
import * as Envelope from "../../../policy/envelope.js"
import { valueKey } from "../../../policy/keys.js"
import type { LeaseReply, LeaseRequest } from "../../../policy/lease.js"
import type { BackendError, CacheBackend } from "../../../port/CacheBackend.js"
import { now } from "../../../port/monotonic.js"
import type { Case } from "../register.js"
import { expectEqual, type Nonconformity } from "../expectation.js"

export interface Subject {
  readonly backend: CacheBackend
  /** Real servers keep what is there: so each test has a prefix of its own. */
  readonly prefix: string
  /** A whole key under `prefix`; what is there is removed when the test ends. */
  readonly key: (userKey?: string) => string
  /** The same under a prefix that only begins like ours. */
  readonly neighbour: string
  readonly keyOfNeighbour: (userKey: string) => string
  /** Unlike any other, for leases and stamps. */
  readonly token: () => string
}

export type BackendCase = Case<Subject>

const nextId = /* @__PURE__ */ tokens()

/** Longer than any test: nothing runs out unless the test is about that. */
export const long = 60_000

export const makeSubject = <E>(
  make: Effect.Effect<CacheBackend, E, Scope.Scope>
): Effect.Effect<Subject, E, Scope.Scope> =>
  Effect.gen(function* () {
    const backend = yield* make
    const prefix = `conformance-${nextId()}`
    const neighbour = `${prefix}2`
    const used = new Set<string>()
    const keyIn =
      (of: string) =>
      (userKey = "key") => {
        const key = valueKey(of, userKey)
        used.add(key)
        return key
      }
    yield* Effect.addFinalizer(() =>
      Effect.forEach(used, (key) => Effect.ignore(backend.invalidate(key)), {
        concurrency: 32,
        discard: true
      })
    )
    return {
      backend,
      prefix,
      neighbour,
      key: keyIn(prefix),
      keyOfNeighbour: keyIn(neighbour),
      token: nextId
    }
  })

export interface Shape {
  readonly payload?: Envelope.Encoded
  /** Milliseconds from now; negative: stale, though the backend still keeps it. */
  readonly expiresIn?: number
}

/** An entry as the core would store it now, by the server's time. */
export const entry = (
  { backend, token }: Pick<Subject, "backend" | "token">,
  { expiresIn = long, payload = '"value"' }: Shape = {}
): Effect.Effect<Envelope.Encoded> =>
  Effect.map(now, (monotonic) => {
    const createdAt = backend.serverTime(monotonic)
    const header: Envelope.Header = {
      codec: typeof payload === "string" ? "j" : "b",
      kind: "v",
      createdAt,
      expiresAt: createdAt + expiresIn,
      staleUntil: createdAt + expiresIn + long,
      errorUntil: createdAt + expiresIn,
      delta: 12,
      version: 3,
      stamp: token()
    }
    return Envelope.encode(header, payload)
  })

/**
 * What an entry says, whether a driver made text or bytes of it: to be compared.
 */
export const contentOf = (stored: Envelope.Encoded | undefined): object | string | undefined => {
  if (stored === undefined) return undefined
  const decoded = Envelope.decode(stored)
  return decoded === undefined
    ? `no entry: ${textOf(stored)}`
    : { payload: textOf(decoded.payload), header: Envelope.headerText(stored) }
}

/** A character a byte, so that no two differ in bytes alone. */
const textOf = (encoded: Envelope.Encoded): string =>
  typeof encoded === "string"
    ? encoded
    : `bytes ${Array.from(encoded, (byte) => byte.toString(16).padStart(2, "0")).join("")}`

/** A reply as plain data. */
export const replyOf = (reply: LeaseReply): object => {
  switch (reply._tag) {
    case "Value":
      return { _tag: "Value", stored: contentOf(reply.stored) }
    case "Granted":
      return granted(reply.ended)
    case "Held":
      return held(reply.token, reply.ended)
    case "Declined":
      return declined
  }
}

export const granted = (ended?: string): object => ({ _tag: "Granted", ended: ended ?? "none" })
export const held = (token: string, ended?: string): object => ({
  _tag: "Held",
  token,
  ended: ended ?? "none"
})
export const declined: object = { _tag: "Declined" }

type Check = Effect.Effect<void, BackendError | Nonconformity>

/** Asks for the lease, and checks the answer. */
export const ask = (
  { backend }: Subject,
  key: string,
  request: LeaseRequest,
  expected: object,
  what = `a lease request with intent ${request.intent}`
): Check =>
  Effect.flatMap(backend.lease(key, request), (reply) =>
    expectEqual(what, replyOf(reply), expected)
  )

export const reading = (token: string, duration = long): LeaseRequest => ({
  intent: "read",
  token,
  duration
})

/** Takes the lease of a key that nobody holds; gives its token. */
export const take = (
  subject: Subject,
  key: string,
  duration = long
): Effect.Effect<string, BackendError | Nonconformity> =>
  Effect.suspend(() => {
    const token = subject.token()
    return Effect.as(
      ask(subject, key, reading(token, duration), granted(), "the lease of a key of no account"),
      token
    )
  })

/** What `getMany` finds: keys of several groups are asked for apart, as the core does. */
export const getMany = (
  { backend }: Subject,
  keys: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Envelope.Encoded | undefined>, BackendError> => {
  const groups = new Map<unknown, Array<number>>()
  keys.forEach((key, at) => {
    const group = backend.groupOf?.(key)
    groups.set(group, [...(groups.get(group) ?? []), at])
  })
  return Effect.map(
    Effect.forEach([...groups.values()], (places) =>
      Effect.map(backend.getMany(places.map((at) => keys[at] ?? "")), (found) =>
        places.map((at, nth) => [at, found[nth]] as const)
      )
    ),
    (all) => {
      const found = new Map(all.flat())
      return keys.map((_, at) => found.get(at))
    }
  )
}

/** What `getMany` finds at one key. */
export const expectStored = (
  { backend }: Subject,
  key: string,
  expected: Envelope.Encoded | undefined,
  what = "what is stored"
): Check =>
  Effect.flatMap(backend.getMany([key]), (found) =>
    expectEqual(what, found.map(contentOf), [contentOf(expected)])
  )

/** Whose the lease is, if it is anybody's. */
export const expectHolder = (
  { backend }: Subject,
  key: string,
  token: string | undefined,
  what = "the holder of the lease"
): Check =>
  Effect.flatMap(backend.holder(key), (holder) =>
    expectEqual(what, holder._tag === "Some" ? holder.value.token : undefined, token)
  )
