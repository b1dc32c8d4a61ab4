import { expect, it } from "@effect/vitest"
import { Effect, Option, TestClock } from "effect"
import { MemoryStorage, Storage } from "effect-larder"

const logIn = (user: string) => Storage.set(`session:${user}`, { user }, { ttl: "30 minutes" })

it.effect("a session is over after half an hour", () =>
  Effect.gen(function* () {
    yield* logIn("Ada")
    yield* TestClock.adjust("29 minutes")
    expect(yield* Storage.get("session:Ada")).toEqual(Option.some({ user: "Ada" }))
    yield* TestClock.adjust("1 minute")
    expect(yield* Storage.get("session:Ada")).toEqual(Option.none())
  }).pipe(Effect.provide(MemoryStorage.layer()))
)
