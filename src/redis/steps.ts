/** Atomic steps, as they are done on a server: by scripts or without. */
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import type { Encoded } from "../policy/envelope.js"
import type { LeaseReply, LeaseRequest } from "../policy/lease.js"
import { isScriptingRefused, send } from "./driver.js"
import type { Link } from "./link.js"
import { channelOf, type Place } from "./wire.js"

/** A reply, and the push that is left to be sent; empty: none. */
export interface Done<A> {
  readonly reply: A
  readonly push: string
}

export type StepAt<P, Args extends ReadonlyArray<unknown>, A> = (
  link: Link,
  place: P,
  ...args: Args
) => Effect.Effect<Done<A>, BackendError>

type Step<Args extends ReadonlyArray<unknown>, A> = StepAt<Place, Args, A>

/** Those of a cache. */
export interface Steps {
  readonly lease: Step<[request: LeaseRequest], LeaseReply>
  readonly renew: Step<[token: string, duration: number], boolean>
  readonly commit: Step<[token: string, stored: Encoded, keepFor: number], boolean>
  readonly release: Step<[token: string], boolean>
  /** False: it came after its deadline, which is server time, and did nothing. */
  readonly set: Step<[stored: Encoded, keepFor: number, deadline: number], boolean>
  readonly invalidate: Step<[], boolean>
  readonly revoke: Step<[], void>
}

/** By script, or without once the server has refused one; and what it left to be pushed. */
export const settleStep = <A>(
  link: Link,
  prefix: string,
  byScript: Effect.Effect<Done<A>, BackendError>,
  byTransaction: Effect.Effect<Done<A>, BackendError>
): Effect.Effect<A, BackendError> => {
  const done = link.isScriptable
    ? Effect.catchIf(byScript, isScriptingRefused, () => {
        link.isScriptable = false
        return byTransaction
      })
    : byTransaction
  return Effect.flatMap(done, ({ push, reply }) =>
    push === "" ? Effect.succeed(reply) : Effect.as(publish(link, prefix, push), reply)
  )
}

/** Whoever misses it polls. */
export const publish = (link: Link, prefix: string, push: string): Effect.Effect<void> =>
  Effect.ignore(send(link.sender(), "push", "PUBLISH", [channelOf(prefix), push]))

/** A view of the bytes, for a driver that knows Node's own alone. */
export const bytesOf = (stored: Encoded): string | Buffer =>
  typeof stored === "string"
    ? stored
    : Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)

/** Redis adds a life to its clock, and refuses what overflows: so long is for good. */
export const keepText = (keepFor: number): string =>
  keepFor > Number.MAX_SAFE_INTEGER / 2 ? "" : String(Math.ceil(keepFor))
