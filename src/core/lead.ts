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
import type { Request } from "./request.js"
import { fillL1, keep } from "./store.js"
import { unsafeNow } from "../port/monotonic.js"

/** Whenever they came. */
const everyone = Infinity
/** All go round again. */
const nobody = -1

export const lead = (path: Path, rebuild: Rebuild.Rebuild, first: Request): Effect.Effect<void> =>
  access(path, rebuild, first).pipe(
    Effect.flatMap((acquired) => proceed(path, rebuild, first, acquired)),
    Effect.catchAllCause((cause) =>
      Effect.succeed(settled(Exit.failCause(cause), everyone, undefined))
    ),
    Effect.map((result) => end(path, rebuild, result))
  )

const settled = (
  exit: Exit.Exit<any, any>,
  upTo: number,
  leader: Request | undefined,
  isFaulted = false
): Rebuild.Settled => ({ exit, upTo, leader, isFaulted, outcome: "misses" })

/** The slot goes first, by identity: another rebuild may have taken it. */
const end = (path: Path, rebuild: Rebuild.Rebuild, result: Rebuild.Settled): void => {
  if (path.rebuilds.get(rebuild.key) === rebuild) path.rebuilds.delete(rebuild.key)
  Rebuild.settle(rebuild, result)
}

const access = (path: Path, rebuild: Rebuild.Rebuild, first: Request): Effect.Effect<Acquired> =>
  path.l2 === undefined || rebuild.intent === "leaseless"
    ? Effect.succeed(leaseless)
    : acquire(path, path.l2, rebuild, first)

const proceed = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  acquired: Acquired
): Effect.Effect<Rebuild.Settled> => {
  switch (acquired._tag) {
    case "Declined":
      // Another process has a newer one, or is making it. Kept, ours would make
      // every reader that fires ask again.
      if (path.l1?.peek(rebuild.key)?.origin === rebuild.seen) path.l1?.remove(rebuild.key)
      return Effect.succeed(settled(Exit.void, nobody, undefined))
    case "Value": {
      fillL1(path, rebuild.key, acquired.entry, rebuild.isVoided)
      return Effect.succeed({
        ...settled(acquired.entry.exit, acquired.upTo, first),
        outcome: "hits"
      } as const)
    }
    default:
      return create(path, rebuild, first, acquired)
  }
}

const create = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  acquired: Leave
): Effect.Effect<Rebuild.Settled> =>
  Effect.flatMap(Rebuild.begin(rebuild), (leader) => {
    const creator = runCreator(path, rebuild, leader, leader === first)
    const { l2 } = path
    const held =
      acquired._tag === "Granted" && l2 !== undefined
        ? l2.renewals.hold(fullKey(path, rebuild.key), acquired.token, leader.tally, l2.terms)
        : undefined
    const startedAt = unsafeNow(leader.fiber)
    return Effect.flatMap(creator, (exit) => {
      const endedAt = unsafeNow(leader.fiber)
      const created: Created = { exit, endedAt, delta: endedAt - startedAt }
      if (held !== undefined) l2?.renewals.letGo(held)
      countLoad(path, leader, created)
      return Effect.flatMap(keep(path, rebuild, leader, acquired, created), (kept) => {
        // Without L2 nothing can be newer elsewhere; a failure is news to anybody.
        const upTo = path.l2 === undefined || Exit.isFailure(kept.exit) ? everyone : kept.upTo
        const result = settled(kept.exit, upTo, leader, acquired.isFaulted || kept.isFaulted)
        return rebuild.intent === "refresh" && Exit.isFailure(kept.exit)
          ? Effect.as(tellFailure(path, rebuild), result)
          : Effect.succeed(result)
      })
    })
  })

const tellFailure = (path: Path, rebuild: Rebuild.Rebuild): Effect.Effect<void> => {
  path.events.emit({ _tag: "refreshFailed", key: rebuild.key })
  return Effect.logDebug("A refresh behind failed; the entry stands until it expires")
}
