/** Effects that can do without a fiber: alike with one and without. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Runtime from "effect/Runtime"
import { mapExit, run, type Start, Unfibered } from "../../src/port/unfibered.js"
import { settleDown } from "../protocol/world.js"

/** Runs it as the gathering of reads does; gives all that it settled with. */
const settled = (
  effect: Effect.Effect<number, string>
): ReadonlyArray<Exit.Exit<number, string>> => {
  const all: Array<Exit.Exit<number, string>> = []
  run(
    effect,
    () => Runtime.defaultRuntime,
    (exit) => all.push(exit)
  )
  return all
}

const defect = new Error("defect")

const starts: Record<
  string,
  { readonly start: Start<number, string>; readonly ends: Exit.Exit<number, string> }
> = {
  "that succeeds at once": {
    start: (settle) => settle(Exit.succeed(1)),
    ends: Exit.succeed(1)
  },
  "that fails": {
    start: (settle) => settle(Exit.fail("no")),
    ends: Exit.fail("no")
  },
  "that throws": {
    start: () => {
      throw defect
    },
    ends: Exit.die(defect)
  },
  "that settles twice": {
    start: (settle) => {
      settle(Exit.succeed(1))
      settle(Exit.succeed(2))
    },
    ends: Exit.succeed(1)
  },
  "of which something else is made": {
    start: mapExit(
      (settle: (exit: Exit.Exit<number, string>) => void) => settle(Exit.fail("no")),
      () => Exit.succeed(1)
    ),
    ends: Exit.succeed(1)
  },
  "of which nothing can be made": {
    start: mapExit(
      (settle: (exit: Exit.Exit<number, string>) => void) => settle(Exit.succeed(1)),
      () => {
        throw defect
      }
    ),
    ends: Exit.die(defect)
  }
}

describe.each(Object.entries(starts))("one %s", (_, { ends, start }) => {
  it.effect("ends alike in a fiber and in none", () =>
    Effect.gen(function* () {
      const effect = new Unfibered(start)
      expect(yield* Effect.exit(effect)).toEqual(ends)
      expect(settled(effect)).toEqual([ends])
      const inFiber = settled(Effect.map(effect, (it) => it))
      yield* settleDown
      expect(inFiber).toEqual([ends])
    })
  )
})

it("one that settles, and then throws, has settled", () => {
  const effect = new Unfibered<number, string>((settle) => {
    settle(Exit.succeed(1))
    throw defect
  })
  expect(settled(effect)).toEqual([Exit.succeed(1)])
})

it.effect("each run starts anew", () =>
  Effect.gen(function* () {
    let count = 0
    const effect = new Unfibered<number, never>((settle) => settle(Exit.succeed(++count)))
    expect(yield* effect).toBe(1)
    expect(yield* effect).toBe(2)
    expect(settled(effect)).toEqual([Exit.succeed(3)])
  })
)

it.effect("who runs it can leave, though it goes on", () =>
  Effect.gen(function* () {
    let answer = (_: Exit.Exit<number>): void => undefined
    const waiting = yield* Effect.fork(
      new Unfibered<number, never>((settle) => {
        answer = settle
      })
    )
    yield* settleDown
    expect(Exit.isInterrupted(yield* Fiber.interrupt(waiting))).toBe(true)
    answer(Exit.succeed(1))
  })
)
