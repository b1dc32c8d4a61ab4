/** Those who wait take turns. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { DistributedLock } from "../../../DistributedLock.js"
import { expectEqual, expectThat } from "../expectation.js"
import type { Case } from "../register.js"
import { isFree, type Subject, take } from "./subject.js"

const inTurn = "those who wait are granted the lock in the order in which they came"
const inTime = "nobody waits longer than was said, and who has left holds up nobody"

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
    name: "who has waited too long is told so, and the next is granted it",
    rule: inTime,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { giveBack } = yield* here(take(name()))
        const late = DistributedLock.acquire(name(), { wait: "50 millis" })
        const queueing = yield* Effect.fork(there(take(name())))
        const errors = yield* Effect.all(
          [late, late].map((it) => Effect.flip(here(Effect.scoped(it)))),
          {
            concurrency: 2
          }
        )
        for (const error of errors) {
          yield* expectEqual("the error", error._tag, "LockTimeout")
        }
        const impatient = DistributedLock.acquire(name(), { wait: 0 })
        yield* expectEqual(
          "who waits for nobody",
          (yield* Effect.flip(here(Effect.scoped(impatient))))._tag,
          "LockTimeout"
        )
        yield* giveBack
        yield* Fiber.join(queueing)
        yield* expectEqual("free, while the next has it", yield* here(isFree(name())), false)
      })
  },
  {
    name: "who is interrupted while it waits leaves its place",
    rule: inTime,
    run: ({ here, name, there }) =>
      Effect.gen(function* () {
        const { giveBack } = yield* here(take(name()))
        const wait = Effect.scoped(DistributedLock.acquire(name()))
        const first = yield* Effect.fork(there(wait))
        const second = yield* Effect.fork(there(wait))
        const third = yield* Effect.fork(there(take(name())))
        yield* Effect.sleep(50)
        yield* Fiber.interrupt(second)
        yield* Fiber.interrupt(first)
        yield* giveBack
        yield* Fiber.join(third)
        yield* expectEqual("free, while the third has it", yield* here(isFree(name())), false)
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
