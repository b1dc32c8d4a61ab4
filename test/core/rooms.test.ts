/** Rooms of the core, each on its own, where the whole path hardly ever leads. */
import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestServices from "effect/TestServices"
import * as Tracer from "effect/Tracer"
import {
  BackendError,
  Cache,
  CacheRegion,
  MemoryBackend,
  MemoryCache,
  NoopCache
} from "effect-larder"
import { accepts } from "../../src/core/codec.js"
import * as Log from "../../src/core/log.js"
import { closesCycle } from "../../src/core/nesting.js"
import { Waiters } from "../../src/core/waiting.js"
import { millis } from "../../src/core/option.js"
import type { Rebuild } from "../../src/core/rebuild.js"
import { ofLevel, withLog } from "../redis/log.js"
import { advance, load, makeRow, settleDown, startProcess, startServer } from "../protocol/world.js"

describe("nesting", () => {
  const flight = (...waitsFor: Array<Rebuild>) => ({ waitsFor }) as unknown as Rebuild

  it("a flight that is waited for along two ways is looked at once", () => {
    const leaf = flight()
    const target = flight(flight(leaf), flight(leaf))
    expect(closesCycle(flight(), target)).toBe(false)
    expect(closesCycle(leaf, target)).toBe(true)
  })
})

describe("an option", () => {
  it.each([-1, -1n, NaN, "-5 seconds", "soon"])("%s is no duration, and is named", (input) => {
    expect(() => millis("ttl", input as number, 0)).toThrow(/ttl is .*; allowed: a duration/)
  })

  it("that is unset, or Infinity, is a duration", () => {
    expect(millis("ttl", undefined, 7)).toBe(7)
    expect(millis("ttl", Infinity, 7)).toBe(Infinity)
    expect(millis("ttl", 5n, 7)).toBe(5e-6)
  })

  it("of a region is checked where the region is made", () => {
    const value = Schema.Number
    expect(() => CacheRegion.make({ name: "r", value, version: 1.5 })).toThrow(/version is 1.5/)
    expect(() => CacheRegion.make({ name: "r", value, errorTtl: -1 })).toThrow(/errorTtl is -1/)
  })
})

describe("the log", () => {
  const lines: Array<unknown> = []
  const captured = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => lines.push(message))
  )

  it.effect("remembers a thousand subjects, and says nothing new beyond", () =>
    Effect.gen(function* () {
      lines.length = 0
      const log = Log.make("test", yield* Effect.clock)
      for (let index = 0; index < 1_200; index++) {
        const name = [...String(index)].map((digit) => "abcdefghij"[Number(digit)]).join("")
        yield* log.refused(`${name}:1`, "it is a test")
      }
      expect(lines).toHaveLength(1_000)
    }).pipe(Effect.provide(captured))
  )

  it.effect("shows no text of an error that is none", () =>
    Effect.gen(function* () {
      lines.length = 0
      yield* Log.make("test", yield* Effect.clock).fault("read", "password=secret")
      expect(String(lines[0])).toContain("unknown error")
      expect(String(lines[0])).not.toContain("secret")
    }).pipe(Effect.provide(captured))
  )
})

describe("a schema", () => {
  const throwing = <A>(): A => {
    throw new Error("a bug in the schema")
  }

  it("that throws accepts nothing", () => {
    expect(accepts(Schema.Number.pipe(Schema.filter(throwing<boolean>)), 1)).toBe(false)
  })

  it.scoped("that throws while it encodes keeps the value from being stored, and no more", () =>
    Effect.gen(function* () {
      const here = yield* startProcess(yield* startServer())
      const schema = Schema.transform(Schema.Number, Schema.Number, {
        decode: (value) => value,
        encode: throwing<number>
      })
      expect(yield* here.run(Cache.getOrCreate("k", Effect.succeed(1), { schema }))).toBe(1)
      expect(yield* here.run(Cache.counters)).toMatchObject({ encodeErrors: 1 })
      expect(yield* here.run(Cache.get("k"))).toEqual(Option.none())
    })
  )
})

describe("a lease that comes with a value", () => {
  const schema = Schema.Literal("ours")

  // A reads: a miss. Another process stores what A cannot decode. A asks for the
  // lease, and is handed that: rejected, it is replaced.
  it.scoped("that cannot be decoded is asked for again, and replaces it", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const there = yield* startProcess(server)
      yield* here.hold("lease")
      const lookup = Cache.getOrCreate("k", Effect.succeed("ours" as const), { schema })
      const a = yield* Effect.fork(here.run(lookup))
      const asked = yield* here.next("lease")
      yield* there.run(Cache.set("k", "theirs"))
      yield* asked.pass
      yield* (yield* here.next("lease")).pass
      expect(yield* a).toBe("ours")
      expect(yield* there.run(Cache.get("k"))).toEqual(Option.some("ours"))
    })
  )

  it.scoped("that is handed over again although it was rejected is not asked for for ever", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const there = yield* startProcess(server)
      yield* there.run(Cache.set("k", "theirs"))
      const [stored] = yield* server.getMany(["larder:k"])
      const deaf = {
        ...server,
        lease: () => Effect.succeed({ _tag: "Value" as const, stored: stored ?? "" })
      }
      const here = yield* startProcess(deaf)
      const lookup = Cache.getOrCreate("k", Effect.succeed("ours" as const), { schema })
      expect(yield* here.run(lookup)).toBe("ours")
    })
  )
})

describe("a caller whose read failed", () => {
  // B waits for another process's lease. A's read fails: A sends nothing more, and
  // does not wait with B, who does.
  it.scoped("does not join a flight that still asks the server", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const server = yield* startServer()
      const here = yield* startProcess(server)
      const token = "someone else's"
      yield* server.lease("larder:k", { intent: "read", token, duration: 60_000 })
      const b = yield* Effect.fork(
        here.run(Cache.getOrCreate("k", load(row), { wait: "1 second" }))
      )
      yield* settleDown
      yield* here.hold("getMany")
      const a = yield* Effect.fork(here.run(Cache.getOrCreate("k", load(row))))
      yield* (yield* here.next("getMany")).lose
      expect(yield* a).toBe(1)
      yield* advance("2 seconds")
      expect(yield* b).toBe(1)
      expect(row.reads).toBe(2)
    })
  )
})

describe("a refresh with a ttl of zero", () => {
  it.scoped("asks the server nothing", () =>
    Effect.gen(function* () {
      const here = yield* startProcess(yield* startServer())
      const lookup = Cache.getOrCreate("k", Effect.succeed(1), { refresh: true, ttl: 0 })
      expect(yield* here.run(lookup)).toBe(1)
      expect(yield* here.sent).toEqual([])
    })
  )
})

describe("those who listen for one key", () => {
  const unasked = () => false

  it.effect("are told alike, and one that closes leaves the others", () =>
    Effect.gen(function* () {
      const waiters = new Waiters()
      const [one, other] = [waiters.listen("k"), waiters.listen("k")]
      one.close()
      const waiting = yield* Effect.fork(other.untilEnded("token", 60_000, unasked))
      yield* settleDown
      waiters.hear({ _tag: "Push", key: "k", token: "token", reason: "ended" })
      yield* waiting
      other.close()
      expect(waiters.size).toBe(0)
    })
  )

  it.effect("may wait again at once, and are told again", () =>
    Effect.gen(function* () {
      const waiters = new Waiters()
      const listener = waiters.listen("k")
      const waiting = yield* Effect.fork(
        Effect.forEach(["first", "second"], (token) => listener.untilEnded(token, 60_000, unasked))
      )
      for (const token of ["first", "second"]) {
        yield* settleDown
        waiters.hear({ _tag: "Push", key: "k", token, reason: "ended" })
      }
      yield* waiting
    })
  )

  it.effect("look again after a while without being told", () =>
    Effect.gen(function* () {
      const waiting = yield* Effect.fork(
        new Waiters().listen("k").untilEnded("token", 60_000, unasked)
      )
      yield* advance("199 millis")
      expect(yield* Fiber.poll(waiting)).toEqual(Option.none())
      yield* advance("101 millis")
      yield* waiting
    })
  )
})

describe("a reader of an entry that could be refreshed early", () => {
  it.effect("leaves it at that when chance says so", () =>
    Effect.gen(function* () {
      const row = makeRow()
      const lookup = Cache.getOrCreate("k", Effect.delay(load(row), "1 second"), {
        ttl: "1 minute"
      })
      const first = yield* Effect.fork(lookup)
      yield* advance("1 second")
      yield* first
      yield* advance("59 seconds")
      expect(yield* Effect.withRandomFixed(lookup, [0])).toBe(1)
      yield* settleDown
      expect(row.reads).toBe(1)
    }).pipe(Effect.provide(MemoryCache.layer()))
  )
})

describe("a closed cache", () => {
  it.effect("interrupts who reads from it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const backend = yield* MemoryBackend.make()
      const context = yield* Layer.buildWithScope(Cache.fromBackend(backend), scope)
      yield* Scope.close(scope, Exit.void)
      const exit = yield* Effect.exit(Effect.provide(Cache.get("k"), context))
      expect(Exit.isInterrupted(exit)).toBe(true)
    })
  )
})

describe("what is pending", () => {
  it.scoped("for one region touches no other, and goes before a set within it", () =>
    Effect.gen(function* () {
      const here = yield* startProcess(yield* startServer())
      const value = Schema.Number
      const left = CacheRegion.make({ name: "left", value })
      const right = CacheRegion.make({ name: "right", value })
      yield* here.hold("clear")
      const clearing = yield* Effect.fork(here.run(left.clear))
      yield* (yield* here.next("clear")).lose
      yield* clearing
      yield* here.run(right.set("k", 1))
      expect(yield* here.run(right.get("k"))).toEqual(Option.some(1))
      yield* here.release
      yield* here.run(left.set("k", 2))
      expect(yield* here.run(left.get("k"))).toEqual(Option.some(2))
    })
  )

  for (const isLost of [false, true]) {
    const outcome = isLost ? "does not answer" : "answers"
    it.scoped(
      `for a prefix is cleared once for all who set under it, if the server ${outcome}`,
      () =>
        Effect.gen(function* () {
          const here = yield* startProcess(yield* startServer())
          const pending = Effect.map(
            here.run(Cache.health),
            (health) => health.pendingInvalidations
          )
          yield* here.hold("clear")
          const clearing = yield* Effect.fork(here.run(Cache.clear))
          yield* (yield* here.next("clear")).lose
          yield* clearing
          const replay = yield* here.next("clear")
          const sets = Array.from({ length: 200 }, (_, key) =>
            here.run(Cache.set(String(key), key))
          )
          const setting = yield* Effect.fork(Effect.all(sets, { concurrency: "unbounded" }))
          yield* settleDown
          expect(setting.unsafePoll()).toBeNull()
          yield* isLost ? replay.lose : replay.pass
          yield* setting
          const sent = yield* here.sent
          expect(sent.filter((name) => name === "clear")).toHaveLength(2)
          expect(sent.filter((name) => name === "set")).toHaveLength(isLost ? 0 : 200)
          expect(yield* pending).toBe(isLost ? 201 : 0)
          yield* here.release
          yield* advance("10 seconds")
          expect(yield* pending).toBe(0)
        })
    )
  }

  it.scoped("for more than a hundred regions is for all", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const fault = new BackendError({ backend: "memory", command: "any", reason: "Refused" })
      const here = yield* startProcess({ ...server, clear: () => Effect.fail(fault) })
      const pending = Effect.map(here.run(Cache.health), (health) => health.pendingInvalidations)
      const clear = (region: number) =>
        here.run(CacheRegion.make({ name: String(region), value: Schema.Number }).clear)
      for (let region = 0; region < 100; region++) yield* clear(region)
      expect(yield* pending).toBe(100)
      yield* clear(50)
      expect(yield* pending).toBe(100)
      yield* clear(100)
      expect(yield* pending).toBe(1)
      yield* here.run(Cache.getOrCreate("untouched", Effect.succeed(1)))
      expect((yield* here.run(Cache.counters)).bypassed).toBe(1)
    })
  )

  it.scoped("and fails again is counted, and said in the log as often as any other fault", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const fault = new BackendError({ backend: "memory", command: "any", reason: "Refused" })
        const here = yield* startProcess({ ...server, invalidate: () => Effect.fail(fault) })
        const errors = Effect.map(here.run(Cache.counters), ({ backendErrors }) => backendErrors)
        yield* here.run(Cache.invalidate("k"))
        yield* settleDown
        const first = yield* errors
        yield* advance("1 minute")
        expect(yield* errors).toBeGreaterThan(first + 10)
        const warnings = ofLevel(lines, "WARN")
        expect(warnings.length).toBeGreaterThan(1)
        expect(warnings.length).toBeLessThan(4)
        for (const line of warnings) expect(line).toContain("Cache command invalidate failed")
      })
    )
  )

  it.scoped("is confirmed by an invalidation of the same key", () =>
    Effect.gen(function* () {
      const here = yield* startProcess(yield* startServer())
      yield* here.hold("invalidate")
      const first = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* (yield* here.next("invalidate")).lose
      yield* first
      const replay = yield* here.next("invalidate")
      const second = yield* Effect.fork(here.run(Cache.invalidate("k")))
      yield* (yield* here.next("invalidate")).pass
      yield* second
      expect((yield* here.run(Cache.health)).pendingInvalidations).toBe(0)
      yield* replay.lose
    })
  )

  it.scoped("without a way to clear is kept key by key, without a bound", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const fault = new BackendError({ backend: "memory", command: "any", reason: "Unavailable" })
      const here = yield* startProcess({
        ...server,
        capabilities: { ...server.capabilities, scan: false },
        invalidate: () => Effect.fail(fault)
      })
      const keys = Array.from({ length: 10_001 }, (_, key) => String(key))
      yield* Effect.forEach(keys, (key) => here.run(Cache.invalidate(key)), {
        concurrency: 100,
        discard: true
      })
      expect((yield* here.run(Cache.health)).pendingInvalidations).toBe(10_001)
    })
  )
})

describe("spans", () => {
  it.effect("a refresh behind a reader without a span is linked to none", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.Span> = []
      const native = yield* Effect.tracer
      const tracer = Tracer.make({
        span: (...given) => {
          const span = native.span(...given)
          spans.push(span)
          return span
        },
        context: (run) => run()
      })
      const lookup = Cache.getOrCreate("k", Effect.succeed(1), {
        ttl: 10,
        staleWhileRevalidate: 1_000
      })
      yield* Effect.gen(function* () {
        yield* lookup
        yield* advance(20)
        yield* lookup
        yield* settleDown
      }).pipe(Effect.withTracer(tracer))
      expect(spans.map(({ name }) => name)).toEqual(["larder.create", "larder.create"])
      expect(spans[1]?.links).toEqual([])
    }).pipe(Effect.provide(MemoryCache.layer({ beta: 0 })))
  )
})

describe("readers of one tick", () => {
  it.scoped("that read alike share what was decoded; those that do not, do not", () =>
    Effect.gen(function* () {
      const server = yield* MemoryBackend.make()
      const there = yield* startProcess(server)
      yield* there.run(Cache.set("r:k", "7"))
      const region = CacheRegion.make({ name: "r", value: Schema.NumberFromString })
      const here = yield* startProcess(server)
      const values = yield* Effect.all(
        [
          here.run(Cache.getOrCreate("r:k", Effect.succeed("new"))),
          here.run(
            Cache.getOrCreate("r:k", Effect.succeed(0), { schema: Schema.NumberFromString })
          ),
          here.run(
            Cache.getOrCreate("r:k", Effect.succeed(0), { schema: Schema.NumberFromString })
          ),
          here.run(region.getOrCreate("k", Effect.succeed(0)))
        ],
        { concurrency: "unbounded" }
      )
      expect(values).toEqual(["7", 7, 7, 7])
      expect(yield* here.sent).toEqual(["getMany"])
    })
  )
})

describe("no cache", () => {
  it.effect("counts a region's lookups, too", () =>
    Effect.gen(function* () {
      const region = CacheRegion.make({ name: "r", value: Schema.Number })
      yield* region.getOrCreate("k", Effect.succeed(1))
      const failed = yield* Effect.exit(region.getOrCreate("k", Effect.fail("no")))
      expect(Exit.isFailure(failed)).toBe(true)
      expect(yield* region.counters).toMatchObject({ misses: 2, loads: 2, loadFailures: 1 })
    }).pipe(Effect.provide(NoopCache.layer))
  )
})

describe("events", () => {
  it.effect("end with the cache", () =>
    Effect.gen(function* () {
      const listening = yield* Effect.scoped(
        Effect.gen(function* () {
          const context = yield* Layer.build(MemoryCache.layer())
          const fiber = yield* Effect.forkDaemon(
            Stream.runCollect(Cache.events).pipe(Effect.provide(context))
          )
          yield* settleDown
          return fiber
        })
      )
      yield* settleDown
      expect(Option.isSome(yield* Fiber.poll(listening))).toBe(true)
    })
  )
})

describe("the face", () => {
  it.effect("says which service is missing, where types were talked out of asking", () =>
    Effect.gen(function* () {
      const lookup = Cache.getOrCreate("key", Effect.succeed(1)) as Effect.Effect<number>
      const cause = yield* Effect.flip(Effect.sandbox(lookup))
      expect(Cause.pretty(cause)).toContain("Service not found: effect-larder/Cache")
    })
  )
})

describe("a refresh", () => {
  it.effect("that is to be stored joins no flight that stores nothing", () =>
    Effect.gen(function* () {
      const backend = yield* MemoryBackend.make()
      yield* Effect.gen(function* () {
        yield* Cache.set("key", 0)
        yield* Effect.all(
          [
            Cache.getOrCreate("key", Effect.delay(Effect.succeed(1), 10), { ttl: 0 }),
            Cache.getOrCreate("key", Effect.delay(Effect.succeed(2), 10), { refresh: true })
          ],
          { concurrency: "unbounded" }
        )
        expect(yield* Cache.get("key")).toEqual(Option.some(2))
      }).pipe(Effect.provide(Cache.fromBackend(backend)))
    }).pipe(TestServices.provideLive)
  )
})
