/**
 * What a rebuild does, in its own fiber: get the lease, run the creator, store,
 * settle. All of it uninterruptible but for the single wait and the creator, so
 * that whatever ends it, the lease is given back and nobody who waits is forgotten.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { acquire } from "./acquire.js"
import { countLoad, runCreator } from "./creator.js"
import type { Created } from "./entry.js"
import { type Acquired, type Leave, leaseless } from "./offered.js"
import { fullKey, type Path } from "./path.js"
import * as Rebuild from "./rebuild.js"
import type * as Scope from "effect/Scope"
import type { Request } from "./request.js"
import { fillL1, keep } from "./store.js"
import { unsafeNow } from "../port/monotonic.js"

/** Whenever they came. */
const everyone = Infinity
/** All go round again. */
const nobody = -1

export const lead = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  scope: Scope.CloseableScope
): Effect.Effect<void> =>
  Effect.catchAllCause(
    Effect.suspend(() =>
      path.l2 === undefined || rebuild.intent === "leaseless"
        ? create(path, rebuild, first, leaseless, scope)
        : Effect.flatMap(acquire(path, path.l2, rebuild, first), (acquired) =>
            proceed(path, rebuild, first, acquired, scope)
          )
    ),
    (cause) => end(path, rebuild, settled(Exit.failCause(cause), everyone, undefined))
  )

const settled = (
  exit: Exit.Exit<any, any>,
  upTo: number,
  leader: Request | undefined,
  isFaulted = false
): Rebuild.Settled => ({
  exit,
  upTo,
  led: leader?.came,
  schema: leader?.options.schema,
  isFaulted,
  outcome: "misses"
})

/** At once. The slot goes first, by identity: another rebuild may have taken it. */
const end = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  result: Rebuild.Settled
): Effect.Effect<void> => {
  if (path.rebuilds.get(rebuild.key) === rebuild) path.rebuilds.delete(rebuild.key)
  Rebuild.settle(rebuild, result)
  return Effect.void
}

const proceed = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  acquired: Acquired,
  scope: Scope.CloseableScope
): Effect.Effect<void> => {
  switch (acquired._tag) {
    case "Declined":
      // Another process has a newer one, or is making it. Kept, ours would make
      // every reader that fires ask again.
      if (path.l1?.peek(rebuild.key)?.origin === rebuild.seen) path.l1?.remove(rebuild.key)
      return end(path, rebuild, settled(Exit.void, nobody, undefined))
    case "Value": {
      fillL1(path, rebuild.key, acquired.entry, rebuild.isVoided)
      const result = settled(acquired.entry.exit, acquired.upTo, first)
      return end(path, rebuild, { ...result, outcome: "hits" })
    }
    default:
      return create(path, rebuild, first, acquired, scope)
  }
}

const create = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  acquired: Leave,
  scope: Scope.CloseableScope
): Effect.Effect<void> =>
  Rebuild.begin(rebuild, (leader) => {
    const { l2 } = path
    const held =
      acquired._tag === "Granted" && l2 !== undefined
        ? l2.renewals.hold(fullKey(path, rebuild.key), acquired.token, leader.tally, l2.terms)
        : undefined
    const outage = l2?.outage()
    const startedAt = unsafeNow(leader.fiber)
    return runCreator(path, rebuild, leader, leader === first, scope, (exit) => {
      const endedAt = unsafeNow(leader.fiber)
      const created: Created = { exit, endedAt, delta: endedAt - startedAt }
      if (held !== undefined) l2?.renewals.letGo(held)
      countLoad(path, leader, created)
      return keep(path, rebuild, leader, acquired, created, (kept) => {
        // Without L2 nothing is newer elsewhere that could be seen; a failure is news to anybody.
        // Begun │ another process invalidates │ someone joins │ the circuit opens │ ended: with
        // one outage all the while it is alone, with an outage at its end it is not.
        const isAlone = l2 === undefined || (outage !== undefined && outage === l2.outage())
        const upTo = isAlone || Exit.isFailure(kept.exit) ? everyone : kept.upTo
        const result = settled(kept.exit, upTo, leader, acquired.isFaulted || kept.isFaulted)
        const isRefresh = rebuild.intent === "refresh" || rebuild.isBackground
        return isRefresh && Exit.isFailure(kept.exit)
          ? Effect.flatMap(tellFailure(path, rebuild), () => end(path, rebuild, result))
          : end(path, rebuild, result)
      })
    })
  })

const tellFailure = (path: Path, rebuild: Rebuild.Rebuild): Effect.Effect<void> => {
  path.events.emit({ _tag: "refreshFailed", key: rebuild.key })
  return Effect.logDebug("A refresh behind failed; the entry stands as it is")
}
