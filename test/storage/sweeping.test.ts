/** Cleaning up, at once and by a schedule. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { MemoryStorage, Storage, type StorageBackend } from "effect-larder"
import { defectOf, down, storageWith } from "./world.js"

/** A storage that says how often it was cleaned up, and of what age. */
const counting = (answer: (time: number) => ReturnType<StorageBackend["cleanup"]>) => {
  const ages: Array<number | undefined> = []
  const layer = storageWith(() => ({
    cleanup: (olderThan) => Effect.suspend(() => answer(ages.push(olderThan)))
  }))
  return { ages, layer }
}

const hourly = Schedule.spaced("1 hour")

it.effect("cleanup takes an age, and a wrong one is a defect that says what is allowed", () => {
  const { ages, layer } = counting(() => Effect.succeed(7))
  return Effect.gen(function* () {
    expect(yield* Storage.cleanup()).toBe(7)
    yield* Storage.cleanup({ olderThan: undefined })
    yield* Storage.cleanup({ olderThan: 0 })
    yield* Storage.cleanup({ olderThan: "1 day" })
    yield* Storage.cleanup({ olderThan: Infinity })
    expect(ages).toEqual([undefined, undefined, 0, 86_400_000, Infinity])
    const defect = yield* defectOf(Storage.cleanup({ olderThan: -1 }))
    expect(defect).toContain("olderThan is -1; allowed: a duration from zero up")
    expect(ages.length).toBe(5)
  }).pipe(Effect.provide(layer))
})

it.effect("in memory it gives back what has expired, and what is too old", () =>
  Effect.gen(function* () {
    yield* Storage.setMany(
      [
        ["a", 1],
        ["b", 1]
      ],
      { ttl: "1 minute" }
    )
    yield* Storage.set("long", 1, { ttl: "1 day" })
    yield* Storage.set("old", 1)
    yield* TestClock.adjust("59999 millis")
    expect(yield* Storage.cleanup()).toBe(0)
    yield* TestClock.adjust(1)
    yield* Storage.set("young", 1)
    expect(yield* Storage.cleanup()).toBe(2)
    expect(yield* Storage.cleanup({ olderThan: "1 minute" })).toBe(0)
    yield* TestClock.adjust(1)
    expect(yield* Storage.cleanup({ olderThan: "1 minute" })).toBe(1)
    expect(yield* Storage.keys()).toEqual(["long", "young"])
  }).pipe(Effect.provide(MemoryStorage.layer()))
)

it.scoped("a sweeper cleans up by its schedule, and not before its first delay", () => {
  const { ages, layer } = counting(() => Effect.succeed(0))
  return Effect.gen(function* () {
    const sweeper = Storage.sweeper(hourly, { olderThan: "1 day" })
    yield* Layer.build(Layer.provide(sweeper, layer))
    yield* TestClock.adjust("59 minutes")
    expect(ages).toEqual([])
    yield* TestClock.adjust("1 minute")
    expect(ages).toEqual([86_400_000])
    yield* TestClock.adjust("3 hours")
    expect(ages.length).toBe(4)
  })
})

it.scoped("what has expired is gone from a storage with a sweeper", () =>
  Effect.gen(function* () {
    const context = yield* Layer.build(
      Layer.provideMerge(Storage.sweeper(hourly), MemoryStorage.layer({ ttl: "1 minute" }))
    )
    yield* Effect.gen(function* () {
      yield* Storage.set("k", 1)
      yield* TestClock.adjust("1 hour")
      expect(yield* Storage.cleanup()).toBe(0)
    }).pipe(Effect.provide(context))
  })
)

it.scoped("what goes wrong is a warning, and the schedule goes on", () => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === LogLevel.Warning) warnings.push(String(message))
  })
  const answers = [
    Effect.fail(down),
    Effect.die(new Error("a bug")),
    Effect.die("no error"),
    Effect.interrupt,
    Effect.succeed(0)
  ]
  const { ages, layer } = counting((time) => answers[time - 1] ?? Effect.succeed(0))
  return Effect.gen(function* () {
    yield* Layer.build(Layer.provide(Storage.sweeper(hourly), layer))
    yield* TestClock.adjust("6 hours")
    expect(ages.length).toBe(6)
    const start = "Cleaning up a storage failed, and will be tried again: "
    expect(warnings.slice(0, 3)).toEqual([
      start + down.message,
      `${start}a bug`,
      `${start}no error`
    ])
    expect(warnings.length).toBe(4)
  }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
})

it.effect("a sweeper ends with its layer, in the midst of its work too", () =>
  Effect.gen(function* () {
    let interrupted = 0
    const { ages, layer } = counting((time) =>
      time === 1
        ? Effect.succeed(0)
        : Effect.onInterrupt(Effect.never, () => Effect.sync(() => interrupted++))
    )
    const scope = yield* Scope.make()
    yield* Layer.buildWithScope(Layer.provide(Storage.sweeper(hourly), layer), scope)
    yield* TestClock.adjust("2 hours")
    expect(ages.length).toBe(2)
    yield* Scope.close(scope, Exit.void)
    expect(interrupted).toBe(1)
    yield* TestClock.adjust("1 day")
    expect(ages.length).toBe(2)
  })
)

it.scoped("a sweeper ends with its schedule", () => {
  const { ages, layer } = counting(() => Effect.succeed(0))
  return Effect.gen(function* () {
    const twice = Schedule.intersect(hourly, Schedule.recurs(2))
    yield* Layer.build(Layer.provide(Storage.sweeper(twice), layer))
    yield* TestClock.adjust("1 day")
    expect(ages.length).toBe(2)
  })
})

it.effect("a sweeper of a wrong age is a defect when its layer is built", () =>
  Effect.gen(function* () {
    const { layer } = counting(() => Effect.succeed(0))
    const sweeper = Storage.sweeper(hourly, { olderThan: -1 })
    const built = Effect.scoped(Layer.build(Layer.provide(sweeper, layer)))
    expect(yield* defectOf(built)).toContain("olderThan is -1; allowed: a duration from zero up")
  })
)

it.scoped("a schedule may need services, and so does the sweeper's layer then", () => {
  class Pause extends Context.Tag("Pause")<Pause, number>() {}
  const { ages, layer } = counting(() => Effect.succeed(0))
  return Effect.gen(function* () {
    const schedule = Schedule.mapEffect(hourly, (time) =>
      Effect.map(Pause, (pause) => time + pause)
    )
    const sweeper = Storage.sweeper(schedule)
    yield* Layer.build(sweeper.pipe(Layer.provide(layer), Layer.provide(Layer.succeed(Pause, 1))))
    yield* TestClock.adjust("1 hour")
    expect(ages.length).toBe(1)
  })
})
