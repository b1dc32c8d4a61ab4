/** What becomes of a creator's result: an entry in L1, in L2, or nothing. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { type Created, encodeEntry, entryFor, identityOf, toL2 } from "./entry.js"
import type { Entry } from "./l1.js"
import type { Leave } from "./offered.js"
import { countFault } from "./log.js"
import { fullKey, isBypassed, type L2, type Path, tick } from "./path.js"
import type { Rebuild } from "./rebuild.js"
import type { Request } from "./request.js"

/** What was made of it. Callers that came before `upTo` may have `exit`. */
export interface Kept {
  readonly exit: Exit.Exit<any, any>
  readonly upTo: number
  readonly isFaulted: boolean
}

/** Only a flight that no write or push has overtaken may fill L1. */
export const fillL1 = (path: Path, key: string, entry: Entry, isVoided: boolean): void => {
  if (isVoided || path.l1 === undefined) return
  // Only the header is kept: the value is there in its decoded form.
  path.l1.put(key, path.l2 === undefined ? entry : { ...entry, origin: identityOf(entry) })
}

/**
 * Stores a creator's result where it may be stored, and says who may have it. To be called
 * by one who runs what it gives at once.
 */
export const keep = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  acquired: Leave,
  created: Created,
  next: (kept: Kept) => Effect.Effect<void>
): Effect.Effect<void> => {
  const began = rebuild.beganAt ?? 0
  let { exit } = created
  let entry: Entry | undefined
  try {
    // A refresh that failed leaves the entry as it is: readers still have it.
    const isKept = Exit.isSuccess(exit) || rebuild.intent !== "refresh"
    entry = isKept ? entryFor(path, leader, created) : undefined
  } catch (error) {
    exit = Exit.die(error)
  }
  const unstored: Kept = { exit, upTo: began, isFaulted: false }
  if (path.l2 === undefined) return keepLocally(path, rebuild, leader, entry, unstored, next)
  if (acquired._tag === "Leaseless") return next(unstored)
  const { token } = acquired
  const now = created.endedAt
  return Effect.flatMap(commit(path, path.l2, rebuild, leader, token, entry, unstored, now), next)
}

const keepLocally = (
  path: Path,
  rebuild: Rebuild,
  leader: Request,
  entry: Entry | undefined,
  kept: Kept,
  next: (kept: Kept) => Effect.Effect<void>
): Effect.Effect<void> => {
  if (entry === undefined) return next(kept)
  if (!path.isStrict) {
    fillL1(path, rebuild.key, entry, rebuild.isVoided)
    return next(kept)
  }
  return Effect.flatMap(encodeEntry(path, leader, entry), (payload) => {
    if (Option.isSome(payload)) fillL1(path, rebuild.key, entry, rebuild.isVoided)
    return next(kept)
  })
}

const commit = (
  path: Path,
  l2: L2,
  rebuild: Rebuild,
  leader: Request,
  token: string,
  entry: Entry | undefined,
  unstored: Kept,
  now: number
): Effect.Effect<Kept> => {
  const key = fullKey(path, rebuild.key)
  const release = Effect.suspend(() =>
    Effect.catchAllCause(l2.backend.release(key, token), (cause) =>
      countFault(path, leader.tally, "release", cause)
    )
  )
  if (entry === undefined) return Effect.as(release, unstored)
  const encoding = Effect.catchAllCause(
    Effect.interruptible(encodeEntry(path, leader, entry)),
    (cause) => Effect.zipRight(release, Effect.failCause(cause))
  )
  return Effect.flatMap(encoding, (payload) => {
    // While an invalidation is unconfirmed, the server may not have revoked
    // this lease yet: a commit would bring back what was overtaken.
    if (Option.isNone(payload) || isBypassed(l2, rebuild.key)) return Effect.as(release, unstored)
    const { keepFor, stored } = toL2(l2, entry, payload.value, now)
    const sentAt = (rebuild.commitSentAt = tick(path))
    return Effect.matchCauseEffect(l2.backend.commit(key, token, stored, keepFor), {
      onFailure: (cause) =>
        countFault(path, leader.tally, "commit", cause).pipe(
          Effect.zipRight(Effect.forkIn(release, path.scope)),
          Effect.as({ ...unstored, isFaulted: true })
        ),
      onSuccess: (isStored) =>
        Effect.sync((): Kept => {
          if (!isStored) {
            leader.tally.fencedWrites++
            path.events.emit({ _tag: "fencedWrite", key: rebuild.key })
            return unstored
          }
          // A read that is on its way may bring what this has replaced.
          l2.gather.voidRead(rebuild.key)
          fillL1(path, rebuild.key, { ...entry, origin: stored }, rebuild.isVoided)
          return { ...unstored, upTo: sentAt }
        })
    })
  })
}
