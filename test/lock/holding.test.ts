/** What keeps a lock alive, and how its holder learns that it is gone. */
import { expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import { LockLost } from "effect-larder"
import { Loss } from "../../src/core/loss.js"
import { yieldingAt } from "../protocol/yieldingAt.js"
import { broken, settleDown, startWith } from "./world.js"

/** How it was lost, if it has been. */
const watch = (lost: Effect.Effect<never, LockLost>) =>
  Effect.map(Effect.fork(Effect.flip(lost)), (fiber) =>
    Effect.map(Fiber.poll(fiber), (exit) =>
      Option.match(exit, {
        onNone: () => "held",
        onSome: Exit.match({ onFailure: String, onSuccess: ({ reason }) => reason })
      })
    )
  )

it.scoped("a lock is renewed at a third of its duration, and not before", () =>
  Effect.gen(function* () {
    let renewals = 0
    const { locks } = yield* startWith(({ renew }) => ({
      renew: (...args) =>
        Effect.zipRight(
          Effect.sync(() => renewals++),
          renew(...args)
        )
    }))
    const { lost } = yield* locks.acquire("a", { duration: "9 seconds" })
    const state = yield* watch(lost)
    yield* TestClock.adjust("2999 millis")
    expect(renewals).toBe(0)
    yield* TestClock.adjust("1 millis")
    expect(renewals).toBe(1)
    yield* TestClock.adjust("1 minute")
    expect(renewals).toBe(1 + 20)
    expect(yield* state).toBe("held")
  })
)

// One fiber renews all: it sleeps for that of the long one when the short one comes.
it.scoped("a short one is renewed in time beside a long one", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith()
    yield* locks.acquire("long", { duration: "1 hour" })
    yield* settleDown
    const { lost } = yield* locks.acquire("short", { duration: "1 second" })
    const state = yield* watch(lost)
    yield* TestClock.adjust("10 seconds")
    expect(yield* state).toBe("held")
    expect(Option.isNone(yield* locks.tryAcquire("short"))).toBe(true)
  })
)

it.scoped("a renewal in doubt is tried again soon, and the lock is kept", () =>
  Effect.gen(function* () {
    let failures = 3
    const { locks } = yield* startWith(({ renew }) => ({
      renew: (...args) =>
        Effect.suspend(() => (failures-- > 0 ? Effect.fail(broken) : renew(...args)))
    }))
    const { lost } = yield* locks.acquire("a", { duration: "9 seconds" })
    const state = yield* watch(lost)
    yield* TestClock.adjust("20 seconds")
    expect(failures).toBeLessThan(0)
    expect(yield* state).toBe("held")
  })
)

it.scoped("a lock whose renewals all fail is lost when its duration is over, and not before", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith(() => ({ renew: () => Effect.fail(broken) }))
    const { lost } = yield* locks.acquire("a", { duration: "9 seconds" })
    const state = yield* watch(lost)
    yield* TestClock.adjust("8999 millis")
    expect(yield* state).toBe("held")
    yield* TestClock.adjust("1 millis")
    expect(yield* state).toBe("Silent")
  })
)

it.scoped("a lock whose renewal is never answered is lost when its duration is over", () =>
  Effect.gen(function* () {
    let renewals = 0
    const { locks } = yield* startWith(() => ({
      renew: () =>
        Effect.zipRight(
          Effect.sync(() => renewals++),
          Effect.never
        )
    }))
    const { lost } = yield* locks.acquire("a", { duration: "9 seconds" })
    const state = yield* watch(lost)
    yield* TestClock.adjust("9 seconds")
    expect(yield* state).toBe("Silent")
    expect(renewals).toBe(1)
  })
)

// The lock ran out while the answer was under way: to have been prolonged is worth nothing.
it.scoped("a renewal that is confirmed too late brings nothing back", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith(({ renew }) => ({
      renew: (...args) => Effect.delay(renew(...args), "10 seconds")
    }))
    const { lost } = yield* locks.acquire("a", { duration: "9 seconds" })
    const state = yield* watch(lost)
    yield* TestClock.adjust("30 seconds")
    expect(yield* state).toBe("Silent")
  })
)

it.scoped("it is reckoned from the question, not from the answer", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith(({ acquire }) => ({
      acquire: (...args) => Effect.zipLeft(acquire(...args), Effect.sleep("5 seconds"))
    }))
    const acquiring = yield* Effect.fork(
      locks.acquire("a", { duration: "9 seconds", renew: false })
    )
    yield* TestClock.adjust("5 seconds")
    const state = yield* watch((yield* Fiber.join(acquiring)).lost)
    yield* TestClock.adjust("3999 millis")
    expect(yield* state).toBe("held")
    yield* TestClock.adjust("1 millis")
    expect(yield* state).toBe("Silent")
  })
)

it.scoped("an answer that comes when the lock may have run out is none", () =>
  Effect.gen(function* () {
    let delay = 10_000
    const { locks } = yield* startWith(({ acquire }) => ({
      acquire: (...args) => Effect.zipLeft(acquire(...args), Effect.sleep(delay))
    }))
    let hasRun = false
    const body = Effect.sync(() => (hasRun = true))
    const options = { duration: "9 seconds" } as const
    const late = yield* Effect.fork(Effect.flip(locks.withLock("a", options)(body)))
    yield* TestClock.adjust("10 seconds")
    const error = yield* Fiber.join(late)
    expect([error._tag, hasRun]).toEqual(["LockUnavailable", false])
    // It is given back, and those who come later are none the worse.
    delay = 0
    const state = yield* watch((yield* locks.acquire("a", options)).lost)
    yield* TestClock.adjust("1 minute")
    expect(yield* state).toBe("held")
  })
)

it.scoped("one that is granted late is renewed at once, and one after it, too", () =>
  Effect.gen(function* () {
    let [delay, renewals] = [5_000, 0]
    const { locks } = yield* startWith(({ acquire, renew }) => ({
      acquire: (...args) => Effect.zipLeft(acquire(...args), Effect.sleep(delay)),
      renew: (...args) =>
        Effect.zipRight(
          Effect.sync(() => renewals++),
          renew(...args)
        )
    }))
    const options = { duration: "9 seconds" } as const
    const late = yield* Effect.fork(locks.acquire("late", options))
    yield* TestClock.adjust("5 seconds")
    const { lost } = yield* Fiber.join(late)
    yield* settleDown
    expect(renewals).toBe(1)
    delay = 0
    const states = [yield* watch(lost), yield* watch((yield* locks.acquire("b", options)).lost)]
    yield* TestClock.adjust("1 minute")
    expect(yield* Effect.all(states)).toEqual(["held", "held"])
  })
)

// The one that renews them all has gone, or is about to go, when the next one comes.
it.scoped("a lock after an idle time, or after a loss, is renewed like any other", () =>
  Effect.gen(function* () {
    let isBroken = false
    const { locks } = yield* startWith(({ renew }) => ({
      renew: (...args) => (isBroken ? Effect.fail(broken) : renew(...args))
    }))
    const options = { duration: "9 seconds" } as const
    yield* locks.withLock("a", options)(Effect.void)
    yield* TestClock.adjust("1 minute")
    isBroken = true
    const lost = yield* locks.acquire("b", options)
    const last = yield* watch(lost.lost)
    yield* TestClock.adjust("1 minute")
    expect(yield* last).toBe("Silent")
    isBroken = false
    const state = yield* watch((yield* locks.acquire("c", options)).lost)
    yield* TestClock.adjust("1 minute")
    expect(yield* state).toBe("held")
  })
)

// A renewal is on its way │ lost │ it arrives, and would prolong what nobody holds
it.scoped("what is lost in silence is given back at once", () =>
  Effect.gen(function* () {
    const { backend, locks } = yield* startWith(() => ({ renew: () => Effect.never }))
    const { lost, token } = yield* locks.acquire("a", { duration: "9 seconds" })
    yield* TestClock.adjust("8 seconds")
    yield* backend.renew("a", token, 3_600_000)
    yield* TestClock.adjust("1 second")
    yield* Effect.flip(lost)
    yield* settleDown
    expect(Option.isSome(yield* locks.tryAcquire("a"))).toBe(true)
  })
)

it.scoped("who is granted it when the layer has ended is told so, and runs nothing", () =>
  Effect.gen(function* () {
    let renewals = 0
    const { close, locks } = yield* startWith(({ renew }) => ({
      renew: (...args) =>
        Effect.zipRight(
          Effect.sync(() => renewals++),
          renew(...args)
        )
    }))
    yield* close
    const state = yield* watch((yield* locks.acquire("a")).lost)
    yield* settleDown
    expect(yield* state).toBe("Closed")
    let hasRun = false
    const body = Effect.sync(() => (hasRun = true))
    const error = yield* Effect.flip(locks.withLock("b")(body))
    expect([error._tag, hasRun]).toEqual(["LockLost", false])
    yield* TestClock.adjust("1 minute")
    expect(renewals).toBe(0)
  })
)

it.scoped("time is the layer's, whatever clock its users have", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith()
    const { lost } = yield* Effect.withClock(locks.acquire("a"), Clock.make())
    const state = yield* watch(lost)
    yield* TestClock.adjust("1 minute")
    expect(yield* state).toBe("held")
  })
)

it.scoped("one that lasts for months is lost when they are over", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith()
    const { lost } = yield* locks.acquire("a", { duration: "60 days", renew: false })
    const state = yield* watch(lost)
    yield* TestClock.adjust("59 days")
    expect(yield* state).toBe("held")
    yield* TestClock.adjust("1 days")
    expect(yield* state).toBe("Silent")
  })
)

it.scoped("one that the server knows nothing of is lost at the next renewal", () =>
  Effect.gen(function* () {
    const { backend, locks } = yield* startWith()
    const { lost, token } = yield* locks.acquire("a", { duration: "9 seconds" })
    const state = yield* watch(lost)
    yield* backend.release("a", token)
    yield* TestClock.adjust("2999 millis")
    expect(yield* state).toBe("held")
    yield* TestClock.adjust("1 millis")
    expect(yield* state).toBe("Taken")
  })
)

it.scoped("withLock ends its body within one renewal of losing the lock", () =>
  Effect.gen(function* () {
    let token = ""
    const { backend, locks } = yield* startWith(({ acquire }) => ({
      acquire: (name, request) => {
        token = request.token
        return acquire(name, request)
      }
    }))
    const seen: Array<string> = []
    const say = (what: string) => Effect.sync(() => seen.push(what))
    const body = Effect.onInterrupt(Effect.never, () =>
      Effect.delay(say("the body has ended"), "1 second")
    )
    const running = yield* Effect.fork(
      Effect.zipRight(
        Effect.flip(locks.withLock("a", { duration: "9 seconds" })(body)),
        say("withLock has")
      )
    )
    yield* TestClock.adjust("6 seconds")
    yield* backend.release("a", token)
    yield* TestClock.adjust("3 seconds")
    expect(seen).toEqual([])
    yield* TestClock.adjust("1 second")
    expect(seen).toEqual(["the body has ended", "withLock has"])
    yield* Fiber.join(running)
  })
)

it.scoped("what is held when the layer ends is lost, for nothing renews it any more", () =>
  Effect.gen(function* () {
    const { close, locks } = yield* startWith()
    const { lost } = yield* locks.acquire("a")
    const other = yield* locks.acquire("b")
    const states = yield* Effect.all([watch(lost), watch(other.lost)])
    yield* close
    yield* settleDown
    expect(yield* Effect.all(states)).toEqual(["Closed", "Closed"])
  })
)

it.scoped("to give back what the server does not answer for is silent", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith(() => ({ release: () => Effect.fail(broken) }))
    expect(yield* locks.withLock("a")(Effect.succeed(1))).toBe(1)
  })
)

it.effect("a loss that comes when the body has ended takes nothing from what it gave", () =>
  Effect.gen(function* () {
    const error = new LockLost({ name: "a", reason: "Silent" })
    const guard = (loss: Loss) =>
      Effect.uninterruptibleMask((restore) => loss.guard(Effect.succeed(1), restore))
    const late = new Loss()
    expect(yield* guard(late)).toBe(1)
    late.happened(error)
    expect(yield* Effect.flip(late.happens)).toBe(error)
    expect(yield* Effect.flip(guard(late))).toBe(error)
  })
)

// Not lost yet, says the look │ lost │ the body is forked: nobody would end it
it.effect("a loss at any step of the one who is granted the lock ends its body", () =>
  Effect.gen(function* () {
    const error = new LockLost({ name: "a", reason: "Silent" })
    for (let step = 1; step <= 40; step++) {
      const loss = new Loss()
      let isForced = false
      const scheduler = yieldingAt(step, () => {
        isForced = true
        loss.happened(error)
      })
      const guarded = Effect.uninterruptibleMask((restore) => loss.guard(Effect.never, restore))
      const fiber = yield* Effect.fork(Effect.withScheduler(Effect.flip(guarded), scheduler))
      yield* settleDown
      if (!isForced) loss.happened(error)
      yield* settleDown
      expect(Option.isSome(yield* Fiber.poll(fiber)), `lost at step ${step}`).toBe(true)
    }
  })
)

it.scoped("withLock keeps what its body has set, also when that fails", () =>
  Effect.gen(function* () {
    const { locks } = yield* startWith()
    const ref = yield* FiberRef.make("before")
    yield* Effect.flip(
      locks.withLock("a")(Effect.zipRight(FiberRef.set(ref, "set"), Effect.fail("no")))
    )
    expect(yield* FiberRef.get(ref)).toBe("set")
  })
)
