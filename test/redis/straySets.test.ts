/**
 * Sets on their way to a server, whose callers leave or whose connection breaks: what was
 * asked for after one, and is confirmed, outlasts it.
 */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Cache } from "effect-larder"
import { RedisClient } from "effect-larder/redis"
import { FaultProxy } from "effect-larder/testing"
import * as RedisBackend from "../../src/redis/RedisBackend.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, startRedis } from "../servers/redis.js"
import { withLog } from "./log.js"
import { pendingOf, slack, startInstance, timed, untilNothingPends } from "./traffic.js"

const deadline = 1_000

interface Scene {
  readonly scripting?: false
  /** Which of its commands is held on its way. */
  readonly holding: string
}

/** One process behind a proxy that holds what a set sends, and one that sees what is stored. */
const makeScene = ({ holding, scripting }: Scene) =>
  Effect.gen(function* () {
    const server = yield* startRedis({ own: true, scripting })
    const proxy = yield* FaultProxy.make(server)
    const here = yield* startInstance({ url: proxy.url, commandTimeout: deadline })
    const there = yield* startInstance({ url: server.url })
    const setHere = (value: string) => here.run(Cache.set("k", value))
    // So that it is known to both whether there are scripts, and which.
    yield* setHere("first")
    yield* proxy.hold(([name]) => name === holding)
    return {
      here,
      proxy,
      /** Begins one, up to where its command is held. */
      begin: (value: string) =>
        Effect.gen(function* () {
          const set = yield* Effect.fork(timed(setHere(value)))
          return { set, held: yield* proxy.next() }
        }),
      holdNoMore: proxy.hold(() => false),
      stored: there.run(Cache.get("k"))
    }
  })

describeWithServer("a set on its way", ["redis-server", "libfaketimeMT.so.1"], () => {
  // The connection breaks: the server may execute the set until its deadline.
  it.scopedLive(
    "ends with its connection, and what it leaves is confirmed after its deadline",
    () =>
      withLog(() =>
        Effect.gen(function* () {
          const { begin, here, holdNoMore, stored } = yield* makeScene({ holding: "evalsha" })
          const began = performance.now()
          const { held, set } = yield* begin("old")
          yield* holdNoMore
          yield* held.reset
          const [took] = yield* Fiber.join(set)
          expect(took).toBeLessThan(slack)
          expect(yield* pendingOf(here)).toBe(1)
          // Nor does one that is asked for confirm what it carries before.
          yield* here.run(Cache.invalidate("k"))
          yield* untilNothingPends(here)
          yield* held.execute
          expect(performance.now() - began).toBeGreaterThan(deadline - 10)
          expect(yield* stored).toEqual(Option.none())
        })
      )
  )

  // The first step, a key that lives as long as the set may take, is answered
  // after nine tenths of that; the second is not answered.
  it.scopedLive("ends at its deadline, without scripts, too", () =>
    withLog(() =>
      Effect.gen(function* () {
        const { begin, proxy } = yield* makeScene({ holding: "set", scripting: false })
        const { held, set } = yield* begin("old")
        yield* proxy.hold(([name]) => name === "set" || name === "watch")
        yield* Effect.sleep(0.9 * deadline)
        yield* held.pass
        const [took] = yield* Fiber.join(set)
        expect(took).toBeLessThan(deadline + slack)
      })
    )
  )

  // The set is on its way │ its caller leaves │ the connection breaks │ connected again │
  // the invalidation that it left is replayed │ the server executes the set.
  it.scopedLive("whose caller has left is outlasted by what it leaves", () =>
    withLog(() =>
      Effect.gen(function* () {
        const { begin, here, holdNoMore, stored } = yield* makeScene({ holding: "evalsha" })
        const { held, set } = yield* begin("old")
        const [took] = yield* timed(Fiber.interrupt(set))
        expect(took).toBeLessThan(slack)
        yield* holdNoMore
        yield* held.reset
        yield* untilNothingPends(here)
        yield* held.execute
        expect(yield* stored).toEqual(Option.none())
      })
    )
  )

  // Two sets │ the second one's caller leaves │ the connection breaks, and with it the first.
  it.scopedLive("beside another: both are outlasted", () =>
    withLog(() =>
      Effect.gen(function* () {
        const { begin, here, holdNoMore, stored } = yield* makeScene({ holding: "evalsha" })
        const first = yield* begin("old")
        yield* Effect.sleep(deadline / 2)
        const second = yield* begin("older")
        yield* holdNoMore
        yield* Effect.zipRight(Fiber.interruptFork(second.set), first.held.reset)
        yield* Fiber.join(first.set)
        yield* untilNothingPends(here)
        yield* second.held.execute
        expect(yield* stored).toEqual(Option.none())
      })
    )
  )

  // The guard is on its way │ its caller leaves │ an invalidation is asked for │ the
  // guard is answered: the value would be written after what is to remove it.
  it.scopedLive("without scripts, whose caller has left, is followed by what comes after", () =>
    withLog(() =>
      Effect.gen(function* () {
        const { begin, here, holdNoMore, stored } = yield* makeScene({
          holding: "set",
          scripting: false
        })
        const { held, set } = yield* begin("old")
        yield* Fiber.interrupt(set)
        yield* holdNoMore
        const invalidation = yield* Effect.fork(here.run(Cache.invalidate("k")))
        yield* Effect.sleep("300 millis")
        yield* held.pass
        yield* Fiber.join(invalidation)
        yield* Effect.sleep("100 millis")
        expect(yield* stored).toEqual(Option.none())
        expect(yield* pendingOf(here)).toBe(0)
      })
    )
  )

  // EXEC is on its way, and will be refused │ its caller leaves │ a clear finds nothing │ the
  // set begins anew: the value would be written after the clear.
  it.scopedLive("without scripts, whose caller has left, is outlasted by a clear", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ own: true, scripting: false })
      const proxy = yield* FaultProxy.make(server)
      const built = yield* Layer.build(RedisClient.layer({ url: proxy.url }))
      const backend = RedisBackend.make(Context.get(built, RedisClient))
      yield* backend.set("larder:other", "so that it is known", 60_000)
      yield* proxy.hold(([name]) => name === "exec")
      const set = yield* Effect.fork(backend.set("larder:k", "old", 60_000))
      const held = yield* proxy.next()
      yield* proxy.hold(() => false)
      yield* command(server, "SET", "larder:k", "another's")
      yield* command(server, "DEL", "larder:k")
      yield* Fiber.interrupt(set)
      const clearing = yield* Effect.fork(backend.clear("larder:"))
      yield* Effect.sleep("20 millis")
      yield* held.pass
      yield* Fiber.join(clearing)
      yield* Effect.sleep("100 millis")
      expect(yield* command(server, "GET", "larder:k")).toBe(null)
    })
  )

  // The set is sent; the server's clock is set an hour forward; the set arrives.
  it.scopedLive("that comes late leaves an invalidation, and the clock is asked again", () =>
    withLog(() =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true, fakeClock: true })
        const proxy = yield* FaultProxy.make(server)
        const here = yield* startInstance({ url: proxy.url, commandTimeout: "10 seconds" })
        const { run } = here
        yield* proxy.hold(([name]) => name === "evalsha")
        const set = yield* Effect.fork(run(Cache.set("k", "late")))
        const held = yield* proxy.next()
        yield* server.stepClock(3_600_000)
        yield* held.pass
        yield* Fiber.join(set)
        expect(yield* pendingOf(here)).toBe(1)
        yield* proxy.release
        yield* untilNothingPends(here)
        expect(yield* run(Cache.get("k"))).toEqual(Option.none())
        yield* run(Cache.set("k", "in time"))
        const { age } = Option.getOrThrow(yield* run(Cache.inspect("k")))
        expect(Duration.toMillis(age)).toBeLessThan(1_000)
        const expiresAt = Number(yield* command(server, "PEXPIRETIME", "larder:k"))
        const [seconds] = (yield* command(server, "TIME")) as ReadonlyArray<string>
        expect(expiresAt / 1_000 - Number(seconds)).toBeGreaterThan(3_500)
      })
    )
  )
})
