/**
 * What a rebuild does, in its own fiber: get the lease, run the creator, store,
 * settle. All of it uninterruptible but for waiting and the creator, so that
 * whatever ends it, the lease is given back and nobody who waits is forgotten.
 */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import * as STM from "effect/STM"
import { type Acquired, acquire } from "./acquire.js"
import { currentFlight } from "./nesting.js"
import { fullKey, type L2, type Path, tick } from "./path.js"
import * as Rebuild from "./rebuild.js"
import type { Request } from "./request.js"
import { fillL1, keep, type Kept } from "./store.js"
import { now } from "../port/monotonic.js"

/** For the whole of a rebuild that runs without L2: anyone may have what it gives. */
const everyone = Infinity
/** Nobody may: all go round again. */
const nobody = -1

export const lead = (path: Path, rebuild: Rebuild.Rebuild, first: Request): Effect.Effect<void> =>
  Effect.interruptible(access(path, rebuild, first)).pipe(
    Effect.exit,
    Effect.flatMap((exit) =>
      Exit.isSuccess(exit)
        ? proceed(path, rebuild, first, exit.value)
        : Effect.succeed(settled(exit, everyone, undefined))
    ),
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
): Rebuild.Settled => ({ exit, upTo, schema: leader?.options.schema, isFaulted })

/** The slot goes first, by identity: another rebuild may have taken it. */
const end = (path: Path, rebuild: Rebuild.Rebuild, result: Rebuild.Settled): void => {
  rebuild.hasEnded = true
  if (path.rebuilds.get(rebuild.key) === rebuild) path.rebuilds.delete(rebuild.key)
  Deferred.unsafeDone(rebuild.result, Exit.succeed(result))
}

const access = (path: Path, rebuild: Rebuild.Rebuild, first: Request): Effect.Effect<Acquired> =>
  path.l2 === undefined || rebuild.intent === "leaseless"
    ? Effect.succeed({ _tag: "Leaseless", isFaulted: false })
    : acquire(path, path.l2, rebuild, first)

const proceed = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  acquired: Acquired
): Effect.Effect<Rebuild.Settled> => {
  switch (acquired._tag) {
    case "Declined":
      return Effect.succeed(settled(Exit.void, nobody, undefined))
    case "Value": {
      fillL1(path, rebuild.key, acquired.entry, rebuild.isVoided)
      return Effect.succeed(settled(acquired.entry.exit, acquired.upTo, first))
    }
    default:
      return create(path, rebuild, first, acquired)
  }
}

const create = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  first: Request,
  acquired: Extract<Acquired, { _tag: "Granted" | "Leaseless" }>
): Effect.Effect<Rebuild.Settled> =>
  Effect.gen(function* () {
    const leader = (yield* STM.commit(Rebuild.begin(rebuild))) ?? first
    const running = runCreator(path, rebuild, leader, leader === first)
    const startedAt = yield* now
    const exit =
      acquired._tag === "Granted" && path.l2 !== undefined
        ? yield* whileRenewing(path, path.l2, rebuild, acquired.token, running)
        : yield* running
    const endedAt = yield* now
    countLoad(path, rebuild, leader, exit, endedAt - startedAt)
    const kept: Kept = yield* keep(path, rebuild, leader, acquired, {
      exit,
      endedAt,
      delta: endedAt - startedAt
    })
    if (rebuild.isBackground && Exit.isFailure(kept.exit)) {
      path.events.emit({ _tag: "RefreshFailed", key: rebuild.key })
      yield* Effect.logDebug("A refresh behind failed; the entry stands until it expires")
    }
    const upTo = Exit.isFailure(kept.exit) || path.l2 === undefined ? everyone : kept.upTo
    return settled(
      kept.exit,
      upTo,
      leader,
      acquired._tag === "Leaseless" ? acquired.isFaulted : kept.isFaulted
    )
  })

/** The creator, with a scope of its own, in the surroundings of the one who leads. */
const runCreator = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  leader: Request,
  isFirst: boolean
): Effect.Effect<Exit.Exit<any, any>> => {
  const creator = Effect.withFiberRuntime<any, any>((fiber) => {
    rebuild.span = fiber.currentSpan
    rebuild.beganAt = tick(path)
    leader.tally.loads++
    return Effect.scoped(leader.create)
  }).pipe(
    Effect.withSpan("larder.create", {
      attributes: { "larder.cache": path.name, "larder.key": rebuild.key.slice(0, 256) },
      ...(rebuild.isBackground && {
        root: true,
        links: leader.span ? [{ _tag: "SpanLink", span: leader.span, attributes: {} }] : []
      })
    }),
    Effect.locally(currentFlight, rebuild)
  )
  return Effect.exit(Effect.interruptible(isFirst ? creator : inSurroundings(leader, creator)))
}

/**
 * Runs a creator for a caller that is not the one who opened the rebuild: the
 * fiber of the rebuild has the surroundings of one who has left, whose
 * transaction or connection may have ended with it.
 */
const inSurroundings = <A, E>(leader: Request, creator: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const fiber = Runtime.runFork(
      Runtime.make({
        context: Runtime.defaultRuntime.context,
        runtimeFlags: Runtime.defaultRuntime.runtimeFlags,
        fiberRefs: leader.refs
      })
    )(creator)
    return Effect.onInterrupt(Effect.flatten(Fiber.await(fiber)), () => Fiber.interrupt(fiber))
  })

const countLoad = (
  path: Path,
  rebuild: Rebuild.Rebuild,
  leader: Request,
  exit: Exit.Exit<any, any>,
  millis: number
): void => {
  const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
  if (Exit.isFailure(exit) && !isInterrupted) leader.tally.loadFailures++
  path.onLoad?.({
    key: rebuild.key,
    outcome: Exit.isSuccess(exit) ? "success" : isInterrupted ? "interrupted" : "failure",
    millis
  })
}

/**
 * Keeps the lease alive while the creator runs, up to `maxHold`. A renewal in
 * doubt is tried again; only "not yours" ends it. The creator is not told: the
 * commit decides.
 */
const whileRenewing = <A>(
  path: Path,
  l2: L2,
  rebuild: Rebuild.Rebuild,
  token: string,
  creator: Effect.Effect<A>
): Effect.Effect<A> => {
  const { leaseDuration, maxHold } = path.defaults
  const interval = leaseDuration / 3
  const renew = l2.backend
    .renew(fullKey(path, rebuild.key), token, leaseDuration)
    .pipe(
      Effect.catchAllCause((cause) => Effect.as(path.log.fault("renew", Cause.squash(cause)), true))
    )
  const renewing = (heldFor: number): Effect.Effect<void> =>
    heldFor + interval > maxHold
      ? Effect.void
      : Effect.flatMap(Effect.delay(renew, interval), (isOurs) =>
          isOurs ? renewing(heldFor + interval) : Effect.void
        )
  return Effect.acquireUseRelease(
    Effect.fork(Effect.interruptible(renewing(0))),
    () => creator,
    Fiber.interrupt
  )
}
