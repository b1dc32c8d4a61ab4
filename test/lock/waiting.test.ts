/** Getting a lock: turns, and what comes in between. */
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { Turns } from "../../src/core/turns.js"
import { broken, settleDown, startWith } from "./world.js"

const taking = (turns: Turns, name = "a") =>
  Effect.uninterruptibleMask((restore) => turns.take(name, Infinity, restore))

it.effect("turns are taken in the order in which they were asked for", () =>
  Effect.gen(function* () {
    const turns = new Turns()
    const order: Array<number> = []
    yield* taking(turns)
    const fibers = yield* Effect.forEach([1, 2, 3], (index) =>
      Effect.fork(Effect.map(taking(turns), () => order.push(index)))
    )
    yield* settleDown
    for (const fiber of fibers) {
      turns.pass("a")
      yield* Fiber.join(fiber)
    }
    expect(order).toEqual([1, 2, 3])
    expect(turns.size).toBe(1)
    turns.pass("a")
    expect(turns.size).toBe(0)
  })
)

// first: called │ interrupted before its fiber ran │ second waits
it.effect("a turn is nobody's loss when its next owner is interrupted as it is called", () =>
  Effect.gen(function* () {
    const turns = new Turns()
    yield* taking(turns)
    const first = yield* Effect.fork(taking(turns))
    const second = yield* Effect.fork(taking(turns))
    yield* settleDown
    turns.pass("a")
    yield* Fiber.interruptFork(first)
    expect(yield* Fiber.join(second)).toBe(true)
    turns.pass("a")
    expect(turns.size).toBe(0)
  })
)

it.effect("who is interrupted as it comes gives nobody else's turn away", () =>
  Effect.gen(function* () {
    const turns = new Turns()
    yield* taking(turns)
    const fiber = yield* Effect.fork(
      Effect.zipRight(Effect.interruptible(Effect.yieldNow()), taking(turns))
    )
    yield* Fiber.interruptFork(fiber)
    const waiting = yield* Effect.fork(taking(turns))
    yield* settleDown
    expect(Option.isNone(yield* Fiber.poll(waiting))).toBe(true)
    turns.pass("a")
    expect(yield* Fiber.join(waiting)).toBe(true)
  })
)

it.effect("who has waited for its turn too long has none, and holds up nobody", () =>
  Effect.gen(function* () {
    const turns = new Turns()
    yield* taking(turns)
    const take = Effect.uninterruptibleMask((restore) => turns.take("a", 1_000, restore))
    const late = yield* Effect.fork(take)
    const uninterruptible = yield* Effect.fork(Effect.uninterruptible(take))
    yield* TestClock.adjust("1 second")
    expect(yield* Fiber.join(late)).toBe(false)
    expect(yield* Fiber.join(uninterruptible)).toBe(false)
    turns.pass("a")
    expect(turns.size).toBe(0)
  })
)

it.scoped("one fiber of a process asks at a time, and is woken when its turn comes", () =>
  Effect.gen(function* () {
    let questions = 0
    const { locks } = yield* startWith(({ acquire }) => ({
      acquire: (...args) =>
        Effect.zipRight(
          Effect.sync(() => questions++),
          acquire(...args)
        )
    }))
    const gate = yield* Deferred.make<void>()
    const first = yield* Effect.fork(locks.withLock("a")(Deferred.await(gate)))
    yield* settleDown
    const others = yield* Effect.forkAll(
      // Long enough for the next one to ask, and to be told to wait.
      Array.from({ length: 50 }, () => locks.withLock("a")(settleDown))
    )
    yield* settleDown
    expect(questions).toBe(2)
    yield* Deferred.succeed(gate, undefined)
    // No time passes: nobody has polled.
    yield* Fiber.join(Fiber.zip(first, others))
    expect(questions).toBe(1 + 2 * 50)
  })
)

it.scoped("who does not hear that its turn has come asks again before long", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith(() => ({ subscribe: () => Effect.fail(broken) }))
    const gate = yield* Deferred.make<void>()
    yield* Effect.fork(locks.withLock("a")(Deferred.await(gate)))
    yield* settleDown
    const waiting = yield* Effect.fork(locks.withLock("a")(Effect.void))
    yield* settleDown
    yield* Deferred.succeed(gate, undefined)
    yield* settleDown
    expect(Option.isNone(yield* Fiber.poll(waiting))).toBe(true)
    yield* TestClock.adjust("300 millis")
    yield* Fiber.join(waiting)
  })
)

// Held, says the answer │ given back, and its turn is told │ the answer is read
it.scoped("a turn that is told before the answer is read is not missed", () =>
  Effect.gen(function* () {
    const gate = yield* Deferred.make<void>()
    const { backend, locks } = yield* startWith(({ acquire }) => ({
      acquire: (...args) =>
        Effect.tap(acquire(...args), ({ _tag }) =>
          _tag === "Held" ? Deferred.await(gate) : Effect.void
        )
    }))
    yield* backend.acquire("a", { token: "other", duration: 60_000, isWaiting: false })
    const waiting = yield* Effect.fork(locks.withLock("a")(Effect.void))
    yield* settleDown
    yield* backend.release("a", "other")
    yield* Deferred.succeed(gate, undefined)
    // No time passes.
    yield* Fiber.join(waiting)
  })
)

it.scoped("who waits for one that has vanished asks as soon as its time is over", () =>
  Effect.gen(function* () {
    const { backend, locks } = yield* startWith()
    yield* backend.acquire("a", { token: "vanished", duration: 1_050, isWaiting: false })
    const waiting = yield* Effect.fork(locks.withLock("a")(Effect.void))
    yield* settleDown
    yield* TestClock.adjust("1049 millis")
    expect(Option.isNone(yield* Fiber.poll(waiting))).toBe(true)
    yield* TestClock.adjust("5 millis")
    yield* Fiber.join(waiting)
  })
)

it.scoped("one that vanished while it waited costs those behind it half a second", () =>
  Effect.gen(function* () {
    const { backend, locks } = yield* startWith()
    yield* backend.acquire("a", { token: "holder", duration: 60_000, isWaiting: false })
    yield* backend.acquire("a", { token: "vanished", duration: 60_000, isWaiting: true })
    const waiting = yield* Effect.fork(locks.withLock("a")(Effect.void))
    yield* settleDown
    yield* backend.release("a", "holder")
    yield* TestClock.adjust("499 millis")
    expect(Option.isNone(yield* Fiber.poll(waiting))).toBe(true)
    yield* TestClock.adjust("5 millis")
    yield* Fiber.join(waiting)
  })
)

it.scoped("an answer that is lost is an error, and what may have been granted is given back", () =>
  Effect.gen(function* () {
    let isBroken = true
    const { locks } = yield* startWith(({ acquire }) => ({
      // It was granted: nobody was told.
      acquire: (...args) =>
        Effect.flatMap(acquire(...args), (reply) =>
          isBroken ? Effect.fail(broken) : Effect.succeed(reply)
        )
    }))
    const attempts = [
      Effect.asVoid(locks.acquire("a")),
      Effect.asVoid(locks.tryAcquire("a")),
      locks.withLock("a")(Effect.void)
    ]
    for (const attempt of attempts) {
      const error = yield* Effect.flip(Effect.scoped(attempt))
      expect(error._tag).toBe("LockUnavailable")
      expect(error.message).toContain(
        'the lock "a" is free is not known: test: lock failed (Timeout)'
      )
    }
    yield* settleDown
    isBroken = false
    expect(Option.isSome(yield* locks.tryAcquire("a"))).toBe(true)
  })
)

it.scoped("who waits for its own lock is told so in the end", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith()
    const nested = yield* Effect.fork(
      Effect.flip(locks.withLock("a")(locks.withLock("a", { wait: "3 seconds" })(Effect.void)))
    )
    yield* TestClock.adjust("3001 millis")
    const error = yield* Fiber.join(nested)
    expect(error.message).toBe('The lock "a" was not to be had within 3000 ms')
  })
)

it.scoped("a store that throws is a defect of its own, and holds up nobody", () =>
  Effect.gen(function* () {
    let isBroken = true
    const { locks } = yield* startWith(({ acquire }) => ({
      acquire: (...args) => {
        if (isBroken) throw new Error("a bug")
        return acquire(...args)
      }
    }))
    const cause = yield* Effect.sandbox(locks.withLock("a")(Effect.void)).pipe(Effect.flip)
    expect(Cause.pretty(cause)).toContain("a bug")
    isBroken = false
    expect(yield* locks.withLock("a")(Effect.succeed(1))).toBe(1)
  })
)
