/** What the log says of commands that fail: each kind once in half a minute, and nobody waits. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { Cache } from "effect-larder"
import type { ControlledBackend } from "effect-larder/testing"
import { settleDown } from "../protocol/world.js"
import { ofLevel, withLog } from "../redis/log.js"
import { type Outage, start } from "./world.js"

type Attempt = (key: string) => Effect.Effect<unknown, never, Cache>

const lookup: Attempt = (key) => Cache.getOrCreate(key, Effect.succeed(1))

/** By the name in the log: what is sent, and who sends it. */
const commands: Readonly<
  Record<string, readonly [sent: ControlledBackend.CommandName, attempt: Attempt]>
> = {
  read: ["getMany", lookup],
  lease: ["lease", lookup],
  commit: ["commit", lookup],
  set: ["set", (key) => Cache.set(key, 1)],
  invalidate: ["invalidate", Cache.invalidate],
  clear: ["clear", () => Cache.clear],
  inspect: ["getMany", Cache.inspect]
}

/** It is sent, and no answer comes. */
const lose = (process: Outage, sent: ControlledBackend.CommandName, attempt: ReturnType<Attempt>) =>
  Effect.gen(function* () {
    yield* process.hold(sent)
    const fiber = yield* Effect.fork(process.run(attempt))
    yield* (yield* process.next(sent)).lose
    yield* process.release
    yield* fiber
    yield* settleDown
  })

for (const [name, [sent, attempt]] of Object.entries(commands)) {
  it.scoped(`a ${name} that fails is a warning, once in 30 seconds`, () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const process = yield* start({ name: "shop", breaker: { enabled: false } })
        const line =
          `Cache command ${name} failed, going on without it: ` +
          `memory: ${sent} failed (Timeout) [ 'cache', 'shop' ]`
        yield* lose(process, sent, attempt("a"))
        yield* lose(process, sent, attempt("b"))
        expect(ofLevel(lines, "WARN")).toEqual([line])
        yield* TestClock.adjust("29 seconds")
        yield* lose(process, sent, attempt("c"))
        expect(ofLevel(lines, "WARN")).toEqual([line])
        yield* TestClock.adjust("1 second")
        yield* lose(process, sent, attempt("d"))
        expect(ofLevel(lines, "WARN")).toEqual([line, line])
        expect(ofLevel(lines, "ERROR")).toEqual([])
      })
    )
  )
}

it.scoped("a listing of keys that fails is a warning, once in 30 seconds", () =>
  withLog((lines) =>
    Effect.gen(function* () {
      const process = yield* start({ name: "shop", breaker: { enabled: false } })
      process.faulty.trouble = "Timeout"
      yield* process.run(Stream.runDrain(Cache.keys()))
      yield* process.run(Stream.runDrain(Cache.keys()))
      expect(ofLevel(lines, "WARN")).toEqual([
        "Cache command keys failed, going on without it: " +
          "memory: keys failed (Timeout) [ 'cache', 'shop' ]"
      ])
    })
  )
)
