/** Those who wait take turns. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { DistributedLock } from "../../../DistributedLock.js"
import { expectEqual, expectThat } from "../expectation.js"
import type { Case } from "../register.js"
import { type Subject, take, type Taking } from "./subject.js"

const inTurn =
  "those who wait are granted the lock in the order in which they came, unless a holder vanishes"
const inTime = "nobody waits longer than was said, and who has left holds up nobody"

/** A place that is not given up costs half a second, when its turn comes: at each hand-over one. */
const many = 6
const soon = 1_800

/** From one to the next, some times, each of whom waits for it. */
const expectHandOvers = (next: Taking, first: Effect.Effect<void>) =>
  Effect.gen(function* () {
    let giveBack = first
    let spent = 0
    for (let time = 1; time < many; time++) {
      const waiting = yield* Effect.fork(next)
      yield* Effect.sleep(30)
      yield* giveBack
      const [time, taken] = yield* Effect.timed(Fiber.join(waiting))
      spent += Duration.toMillis(time)
      giveBack = taken.giveBack
    }
    yield* expectThat("how long the next wait, in all", spent < soon, `under ${soon} ms`, spent)
  })

export const waiting: ReadonlyArray<Case<Subject>> = [
  {
    name: "fibers of a process are granted it in the order in which they came",
    rule: inTurn,
    run: ({ here, name }) =>
      Effect.gen(function* () {
        const order: Array<number> = []
        const numbers = Array.from({ length: 20 }, (_, index) => index)
        const visit = (index: number) =>
          DistributedLock.withLock(name())(Effect.sync(() => order.push(index)))
        yield* here(Effect.forEach(numbers, visit, { concurrency: "unbounded" }))
        yield* expectEqual("the order", order, numbers)
      })
  },
  {
    name: "a process that takes it again and again leaves its turn to the others",
    rule: inTurn,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        let turns = 0
        const turn = Effect.delay(
          Effect.sync(() => turns++),
          1
        )
        const greedy = yield* Effect.fork(
          here(Effect.forever(DistributedLock.withLock(name())(turn)))
        )
        yield* Effect.sleep(20)
        const before = turns
        yield* there(DistributedLock.withLock(name())(Effect.void))
        yield* there(DistributedLock.withLock(name())(Effect.void))
        const meanwhile = turns - before
        yield* Fiber.interrupt(greedy)
        // One that it had begun, one while the other comes, and one between the two.
        yield* expectThat("the turns of the greedy one", meanwhile <= 50, "few", meanwhile)
      })
  },
  {
    name: "who has waited too long is told so, and holds up nobody",
    rule: inTime,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { giveBack } = yield* here(take(name()))
        const late = DistributedLock.withLock(name(), { wait: "30 millis" })(Effect.void)
        const impatient = DistributedLock.withLock(name(), { wait: 0 })(Effect.void)
        for (let time = 0; time < many; time++) {
          const { _tag } = yield* Effect.flip(there(late))
          yield* expectEqual("who waits for a moment", _tag, "LockTimeout")
        }
        const errors = yield* Effect.all([late, late, impatient].map(there).map(Effect.flip), {
          concurrency: "unbounded"
        })
        for (const { _tag } of errors) yield* expectEqual("several at once", _tag, "LockTimeout")
        yield* expectHandOvers(there(take(name())), giveBack)
      })
  },
  {
    name: "who is interrupted while it waits leaves its place, and holds up nobody",
    rule: inTime,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { giveBack } = yield* here(take(name()))
        for (let time = 0; time < many; time++) {
          const waiting = [take(name()), take(name())].map((it) => Effect.fork(there(it)))
          const fibers = yield* Effect.all(waiting)
          yield* Effect.sleep(30)
          yield* Fiber.interruptAll(fibers.toReversed())
        }
        yield* expectHandOvers(there(take(name())), giveBack)
      })
  },
  {
    name: "a wrong option is a defect that says what is allowed",
    rule: "a duration is at least a millisecond, and finite; a wait is not negative",
    run: ({ here, name }) =>
      Effect.forEach(
        [
          { duration: 0 },
          { duration: Infinity },
          { duration: "-1 seconds" as never },
          { wait: -1 }
        ],
        (options) =>
          Effect.gen(function* () {
            const exit = yield* Effect.exit(
              here(DistributedLock.withLock(name(), options)(Effect.void))
            )
            const message = Exit.isFailure(exit) ? String(exit.cause) : "no failure"
            yield* expectThat(
              "what it says",
              message.includes("allowed"),
              "what is allowed",
              message
            )
          })
      )
  }
]
