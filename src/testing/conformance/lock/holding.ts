/** One holder at a time, for as long as it lives. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import { DistributedLock } from "../../../DistributedLock.js"
import { eventually, expectEqual, expectThat } from "../expectation.js"
import { oddKeys } from "../oddKeys.js"
import type { Case } from "../register.js"
import { expectGrowth, isFree, makeRoom, type Subject, take } from "./subject.js"

const one = "a lock has one holder at a time, until it gives it back, is lost, or runs out"
const fenced = "the fence of a lock grows with every grant, whoever it is granted to"
const quiet = "to give back what is lost already is silent, and touches nobody else's"
const renewed = "a lock is renewed while it is held, unless that is not wanted"
const body = "withLock gives the lock back however its body ends, and ends it when the lock is lost"

/** Short enough to wait for, long enough for a busy machine. */
const short = 200
const isShort = { duration: short, renew: false } as const

export const holding: ReadonlyArray<Case<Subject>> = [
  {
    name: "who comes second is refused, until it is given back",
    rule: one,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { giveBack, held } = yield* here(take(name()))
        yield* expectEqual("the name", held.name, name())
        yield* expectEqual("free, while it is held", yield* there(isFree(name())), false)
        yield* expectEqual("free to its own process", yield* here(isFree(name())), false)
        yield* giveBack
        yield* expectEqual("free, when it is given back", yield* there(isFree(name())), true)
      })
  },
  {
    name: "locks of other names do not hinder it",
    rule: "any string names a lock, and no two strings the same",
    run: ({ here, name }) =>
      Effect.gen(function* () {
        const names = Object.values(oddKeys).map(name)
        const all = yield* Effect.forEach(names, (it) => here(DistributedLock.tryAcquire(it)))
        yield* expectEqual("how many were granted", all.filter(Option.isSome).length, names.length)
        const again = yield* Effect.forEach(names, (it) => here(isFree(it)))
        yield* expectEqual("how many are free", again.filter((it) => it).length, 0)
      })
  },
  {
    name: "at most one is in the room, of two processes with 25 fibers each",
    rule: one,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const room = makeRoom(1)
        const visit = DistributedLock.withLock(name(), { wait: "4 seconds" })(room.enter)
        const all = Array.from({ length: 50 }, (_, index) =>
          (index % 2 === 0 ? here : there)(visit)
        )
        yield* Effect.all(all, { concurrency: "unbounded" })
        yield* expectEqual("the most at once", room.most(), 1)
        yield* expectEqual("visits", room.visits(), 50)
      })
  },
  {
    name: "the fence grows with every grant",
    rule: fenced,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const first = yield* here(take(name()))
        yield* first.giveBack
        const second = yield* there(take(name(), isShort))
        yield* Effect.flip(second.held.lost)
        const third = yield* here(take(name()))
        yield* expectGrowth("after it was given back", second.held, first.held)
        yield* expectGrowth("after it ran out", third.held, second.held)
      })
  },
  {
    name: "what is not renewed is lost after its duration, and granted to another",
    rule: one,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { giveBack, held } = yield* here(take(name(), isShort))
        const waiting = yield* Effect.fork(there(take(name())))
        const { _tag, reason } = yield* Effect.flip(held.lost)
        yield* expectEqual("how it was lost", `${_tag} ${reason}`, "LockLost Silent")
        yield* Fiber.join(waiting)
        yield* giveBack
        yield* expectEqual("free, after that", yield* here(isFree(name())), false)
      })
  },
  {
    name: "what is renewed outlives its duration",
    rule: renewed,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { held } = yield* here(take(name(), { duration: short * 2 }))
        const lost = yield* Effect.fork(Effect.exit(held.lost))
        yield* Effect.sleep(short * 5)
        yield* expectEqual("free", yield* there(isFree(name())), false)
        yield* expectThat(
          "lost",
          Option.isNone(yield* Fiber.poll(lost)),
          "not yet",
          yield* Fiber.poll(lost)
        )
      })
  },
  {
    name: "to give back what is lost is silent, and leaves the next holder alone",
    rule: quiet,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { giveBack, held } = yield* here(take(name(), isShort))
        yield* Effect.flip(held.lost)
        yield* there(take(name()))
        yield* giveBack
        yield* expectEqual("free", yield* here(isFree(name())), false)
      })
  },
  ...(
    [
      ["fails", Effect.fail("no"), "Fail"],
      ["dies", Effect.die("no"), "Die"],
      ["is interrupted", Effect.interrupt, "Interrupt"]
    ] as const
  ).map(([how, doing, tag]): Case<Subject> => ({
    name: `withLock gives it back when its body ${how}`,
    rule: body,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(here(DistributedLock.withLock(name())(doing)))
        yield* expectEqual("the exit", Exit.isFailure(exit) ? exit.cause._tag : exit._tag, tag)
        yield* expectEqual("free", yield* there(isFree(name())), true)
      })
  })),
  {
    name: "withLock interrupts its body when the lock is lost, and fails once it has ended",
    rule: body,
    run: ({ here, name }) =>
      Effect.gen(function* () {
        let hasEnded = false
        const ending = Effect.delay(
          Effect.sync(() => (hasEnded = true)),
          20
        )
        const doing = Effect.onInterrupt(Effect.never, () => ending)
        const error = yield* Effect.flip(here(DistributedLock.withLock(name(), isShort)(doing)))
        yield* expectEqual("the error", error._tag, "LockLost")
        yield* expectEqual("its finalizer has run", hasEnded, true)
      })
  },
  {
    name: "withLock lets a body that cannot be interrupted go on to its end",
    rule: body,
    run: ({ here, name }) =>
      Effect.gen(function* () {
        let hasEnded = false
        const doing = Effect.zipRight(
          Effect.sleep(short * 2),
          Effect.sync(() => (hasEnded = true))
        )
        const locked = here(
          DistributedLock.withLock(name(), isShort)(Effect.uninterruptible(doing))
        )
        yield* expectEqual("the error", (yield* Effect.flip(locked))._tag, "LockLost")
        yield* expectEqual("it has ended", hasEnded, true)
        const all = here(DistributedLock.withLock(name("other"))(Effect.succeed("done")))
        yield* expectEqual("an uninterruptible whole", yield* Effect.uninterruptible(all), "done")
      })
  },
  {
    name: "withLock keeps what its body says, and what it sets",
    rule: body,
    run: ({ here, name }) =>
      Effect.gen(function* () {
        const ref = yield* FiberRef.make("before")
        const doing = Effect.as(FiberRef.set(ref, "set"), "said")
        yield* expectEqual("said", yield* here(DistributedLock.withLock(name())(doing)), "said")
        yield* expectEqual("set", yield* FiberRef.get(ref), "set")
      })
  },
  {
    name: "who is interrupted while it holds gives it back",
    rule: one,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const doing = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
        const fiber = yield* Effect.fork(here(DistributedLock.withLock(name())(doing)))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
        yield* eventually(
          Effect.flatMap(there(isFree(name())), (free) => expectEqual("free", free, true))
        )
      })
  }
]
