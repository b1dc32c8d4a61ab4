/** The steps of a cache where a server refuses scripts: each a transaction. */
import * as Effect from "effect/Effect"
import * as Lease from "../policy/lease.js"
import type { Encoded } from "../policy/envelope.js"
import type { BackendError } from "../port/CacheBackend.js"
import { type Answer, type Call, fault, isAnswered, sendTogether } from "./driver.js"
import type { Link } from "./link.js"
import { leaseCall, leaseOf } from "./leaseRecord.js"
import { bytesOf, type Done, type Steps } from "./steps.js"
import { pushText } from "./subscriptions.js"
import { inTime, type Subject, transact, untilCall, valueOf } from "./transaction.js"
import { guardOf, type Place } from "./wire.js"

interface Found {
  readonly cell: Lease.Cell
  /** Does the guard stand? */
  readonly isInTime: boolean
}

export const transactional = (commandTimeout: number): Steps => {
  const step = <A>(
    command: string,
    link: Link,
    place: Place,
    transition: (found: Found, now: number) => Lease.Step<A>,
    guard: string = place.ended
  ): Effect.Effect<Done<A>, BackendError> =>
    transact(commandTimeout, command, link, subjectAt(place, guard), (found, now) => {
      const { cell, push, reply } = transition(found, now)
      return {
        cell: { ...found, cell },
        reply,
        push: push ? pushText(push.reason, push.token, place.entry) : ""
      }
    })

  const plain =
    <A>(transition: (cell: Lease.Cell, now: number) => Lease.Step<A>) =>
    ({ cell }: Found, now: number) =>
      transition(cell, now)

  return {
    lease: (link, place, request) =>
      step(
        "lease",
        link,
        place,
        plain((cell, now) => Lease.lease(cell, now, request))
      ),
    renew: (link, place, token, duration) =>
      step(
        "renew",
        link,
        place,
        plain((cell, now) => Lease.renew(cell, now, token, duration))
      ),
    commit: (link, place, token, stored, keepFor) =>
      step(
        "commit",
        link,
        place,
        plain((cell, now) => Lease.commit(cell, now, token, stored, keepFor))
      ),
    release: (link, place, token) =>
      step(
        "release",
        link,
        place,
        plain((cell, now) => Lease.release(cell, now, token))
      ),
    invalidate: (link, place) => step("invalidate", link, place, plain(Lease.invalidate)),
    revoke: (link, place) =>
      step(
        "clear",
        link,
        place,
        plain((cell, now) => Lease.revoke(cell, now, "written"))
      ),
    // EXEC cannot ask for the time. But a key that lives until the deadline, and is
    // watched, makes it do nothing once it has run out.
    set: (link, place, stored, keepFor, deadline) => {
      const setting = Effect.suspend(() => {
        const guard = guardOf(place, globalThis.crypto.randomUUID())
        const guarding: Call = ["SET", guard, "1", "PXAT", Math.floor(deadline)]
        return Effect.flatMap(sendTogether(link.nodeOf(place.entry), "set", [guarding]), ([set]) =>
          set !== undefined && isAnswered(set)
            ? step(
                "set",
                link,
                place,
                ({ cell, isInTime }, now): Lease.Step<boolean> =>
                  isInTime
                    ? { ...Lease.set(cell, now, stored, keepFor), reply: true }
                    : { cell, reply: false },
                guard
              )
            : Effect.fail(fault("set", set?.reason))
        )
      })
      return inTime("set", commandTimeout, setting)
    }
  }
}

/** Reads what stands at a place, and watches it. */
const subjectAt = (place: Place, guard: string): Subject<Found> => {
  const { ended, entry, lease } = place
  return {
    key: entry,
    watched: [entry, lease, ended, guard],
    reads: [
      ["GET", entry],
      ["GET", lease],
      ["GET", ended],
      ["EXISTS", guard]
    ],
    decode: ([found, held, last, isThere]) => ({
      isInTime: Number(valueOf(isThere)) === 1,
      cell: {
        value: entryOf(found),
        lease: leaseOf(valueOf(held)),
        ended:
          valueOf(last) === null ? undefined : { token: String(valueOf(last)), until: Infinity }
      }
    }),
    writes: ({ cell }, after, now) => writesOf(place, cell, after.cell, now)
  }
}

/** A stranger's type cannot be read, but stands there: it is removed, or replaced. */
const entryOf = (answer: Answer | undefined): Lease.Cell["value"] => {
  const stored = answer !== undefined && !isAnswered(answer) ? "" : valueOf(answer)
  return stored === null ? undefined : { stored: stored as Encoded, keepUntil: Infinity }
}

/** The commands that turn what was found into what is to be. */
const writesOf = (
  place: Place,
  { ended, lease, value }: Lease.Cell,
  after: Lease.Cell,
  now: number
): ReadonlyArray<Call> => {
  const writes: Array<Call> = []
  if (after.value !== value) {
    writes.push(
      after.value === undefined
        ? ["UNLINK", place.entry]
        : [
            "SET",
            place.entry,
            bytesOf(after.value.stored),
            ...untilCall(after.value.keepUntil, now)
          ]
    )
  }
  if (after.lease !== lease) writes.push(leaseCall(place.lease, after.lease, now))
  if (after.ended !== ended && after.ended !== undefined) {
    writes.push(["SET", place.ended, after.ended.token, ...untilCall(after.ended.until, now)])
  }
  return writes
}
