/** What is sent after sets that may yet be executed waits for the last of them, or for none. */
import { expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Socket } from "node:net"
import { Strays } from "../../src/redis/strays.js"

const [one, other] = [new Socket(), new Socket()]

/** On a clock of 10 ms that begins with the test. */
const start = () => {
  const strays = new Strays()
  const begin = performance.now()
  const add = (key: string, socket: Socket | undefined, until: number) =>
    strays.add(key, { socket, until: begin + until * 10 })
  const took = (wait: Effect.Effect<void>) =>
    Effect.map(Effect.timed(wait), ([duration]) => Duration.toMillis(duration) / 10)
  return { add, strays, took }
}

it.scopedLive("on another connection, whichever of them was given up last", () =>
  Effect.gen(function* () {
    const { add, strays, took } = start()
    add("p:k", one, 12)
    add("p:k", one, 4)
    add("p:other", one, 40)
    expect(yield* took(strays.outlast("p:k", () => other))).toBeGreaterThan(10)
    expect(yield* took(strays.outlast("p:k", () => other))).toBeLessThan(1)
  })
)

it.scopedLive("on the same connection for none, unless there were several", () =>
  Effect.gen(function* () {
    const { add, strays, took } = start()
    add("p:k", one, 10)
    expect(yield* took(strays.outlast("p:k", () => one))).toBeLessThan(1)
    add("p:k", other, 5)
    expect(yield* took(strays.outlast("p:k", () => other))).toBeGreaterThan(7)
  })
)

it.scopedLive("on a connection that nobody can name for all", () =>
  Effect.gen(function* () {
    const { add, strays, took } = start()
    add("p:k", undefined, 8)
    expect(yield* took(strays.outlast("p:k", () => undefined))).toBeGreaterThan(6)
  })
)

it.scopedLive("of a prefix for all that begin so, and for no other", () =>
  Effect.gen(function* () {
    const { add, strays, took } = start()
    add("p:a:1", one, 10)
    add("p:a:2", one, 5)
    add("p:b:1", one, 40)
    expect(yield* took(strays.outlastAll("p:c:", () => other))).toBeLessThan(1)
    expect(yield* took(strays.outlastAll("p:a:", () => other))).toBeGreaterThan(8)
    expect(yield* took(strays.outlastAll("p:a:", () => other))).toBeLessThan(1)
  })
)

it.scopedLive(
  "for those, too, that are given up while it waits, and goes by the next connection",
  () =>
    Effect.gen(function* () {
      const { add, strays, took } = start()
      let socket = other
      add("p:k", one, 5)
      const wait = yield* Effect.fork(took(strays.outlast("p:k", () => socket)))
      yield* Effect.sleep(20)
      add("p:k", other, 15)
      socket = new Socket()
      expect(yield* Fiber.join(wait)).toBeGreaterThan(13)
    })
)

it.scopedLive("for none whose time was over when it was given up", () =>
  Effect.gen(function* () {
    const { add, strays, took } = start()
    add("p:k", one, -1)
    expect(yield* took(strays.outlast("p:k", () => other))).toBeLessThan(1)
  })
)
