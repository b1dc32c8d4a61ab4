/** A creator runs in the surroundings of its first caller, with a scope of its own. */
import { describe, expect, it } from "@effect/vitest"
import * as Array from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type * as Tracer from "effect/Tracer"
import { Cache } from "effect-larder"
import { settleDown } from "../protocol/world.js"
import { tiers } from "./world.js"

class Name extends Context.Tag("test/Name")<Name, string>() {}

/** A clock of its own, as far as a creator can ask for the time. */
const clockAt = (millis: number): Clock.Clock =>
  Object.assign(Object.create(Clock.make()), { currentTimeMillis: Effect.succeed(millis) })

/** A resource that says when it is opened and closed. */
const resource = (log: globalThis.Array<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => log.push("open")),
    () =>
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.sync(() => log.push("closed"))
      )
  )

const nativeSpan = Effect.orDie(Effect.currentSpan)

const linked = (span: Tracer.Span) => span.links.map((link) => link.span)

for (const { layer, name } of tiers) {
  describe(`on ${name}`, () => {
    for (const [how, end] of [
      ["succeeds", Effect.succeed("value")],
      ["fails", Effect.fail("down")],
      ["dies", Effect.die("bug")],
      ["interrupts itself", Effect.interrupt]
    ] as ReadonlyArray<[string, Effect.Effect<string, string>]>) {
      it.scoped(`its scope closes when a creator ${how}, before anybody is told`, () =>
        Effect.gen(function* () {
          const log: globalThis.Array<string> = []
          const create = Effect.zipRight(resource(log), Effect.zipRight(Effect.yieldNow(), end))
          const lookup = Effect.exit(Cache.getOrCreate("k", create)).pipe(
            Effect.tap(() => Effect.sync(() => log.push("told")))
          )
          yield* Effect.all([lookup, lookup], { concurrency: 2 })
          expect(log).toEqual(["open", "closed", "told", "told"])
        }).pipe(Effect.provide(layer()))
      )
    }

    for (const [how, end, told] of [
      ["succeeds", Effect.succeed("value"), Cause.die("unclosed")],
      ["fails", Effect.fail("down"), Cause.sequential(Cause.fail("down"), Cause.die("unclosed"))]
    ] as ReadonlyArray<[string, Effect.Effect<string, string>, Cause.Cause<string>]>) {
      it.effect(
        `callers are told when a creator ${how} whose scope does not close, and nothing is kept`,
        () =>
          Effect.gen(function* () {
            const create = Effect.zipRight(
              Effect.addFinalizer(() => Effect.die("unclosed")),
              end
            )
            const lookup = Effect.exit(Cache.getOrCreate("k", create))
            const [one, other] = yield* Effect.all([lookup, lookup], { concurrency: 2 })
            expect(one).toEqual(Exit.failCause(told))
            expect(other).toEqual(Exit.failCause(told))
            expect(yield* Cache.get("k")).toEqual(Option.none())
            expect(yield* Cache.counters).toMatchObject({ loads: 1, loadFailures: 1 })
          }).pipe(Effect.provide(layer()))
      )
    }

    it.scoped("its scope closes when its last caller leaves, who waits for that", () =>
      Effect.gen(function* () {
        const log: globalThis.Array<string> = []
        const lookup = Cache.getOrCreate("k", Effect.zipRight(resource(log), Effect.never))
        const caller = yield* Effect.fork(lookup)
        yield* settleDown
        yield* Fiber.interrupt(caller)
        expect(log).toEqual(["open", "closed"])
      }).pipe(Effect.provide(layer()))
    )

    it.scoped("what the first caller has around it, its creator has", () =>
      Effect.gen(function* () {
        const ref = yield* FiberRef.make("nobody's")
        const gate = yield* Deferred.make<void>()
        const seen = Effect.all({
          service: Name,
          ref: FiberRef.get(ref),
          annotations: Effect.map(FiberRef.get(FiberRef.currentLogAnnotations), HashMap.toEntries),
          time: Clock.currentTimeMillis,
          config: Effect.orDie(Config.string("NAME"))
        })
        const caller = (who: string, time: number) =>
          Cache.getOrCreate("k", Effect.zipRight(Deferred.await(gate), seen)).pipe(
            Effect.provideService(Name, who),
            Effect.locally(ref, who),
            Effect.annotateLogs("who", who),
            Effect.withClock(clockAt(time)),
            Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["NAME", who]]))),
            Effect.fork
          )
        const first = yield* caller("first", 1)
        yield* settleDown
        const second = yield* caller("second", 2)
        yield* settleDown
        yield* Deferred.succeed(gate, undefined)
        const surroundings = {
          service: "first",
          ref: "first",
          annotations: [["who", "first"]],
          time: 1,
          config: "first"
        }
        expect(yield* Fiber.join(first)).toEqual(surroundings)
        expect(yield* Fiber.join(second)).toEqual(surroundings)
      }).pipe(Effect.provide(layer()))
    )

    it.scoped("what a creator changes around it, its callers do not see", () =>
      Effect.gen(function* () {
        const ref = yield* FiberRef.make("before")
        const create = Effect.zipRight(Effect.yieldNow(), FiberRef.set(ref, "changed"))
        const lookup = Effect.zipRight(Cache.getOrCreate("k", create), FiberRef.get(ref))
        const seen = yield* Effect.all([lookup, lookup], { concurrency: 2 })
        expect(seen).toEqual(["before", "before"])
        yield* Cache.getOrCreate("other", create)
        expect(yield* FiberRef.get(ref)).toBe("before")
      }).pipe(Effect.provide(layer()))
    )

    describe("spans", () => {
      it.effect("a creator's span is a child of its first caller's", () =>
        Effect.gen(function* () {
          const [span, caller] = yield* Effect.withSpan(
            Effect.zip(Cache.getOrCreate("k", nativeSpan, { ttl: 0 }), nativeSpan),
            "caller"
          )
          expect(span.name).toBe("larder.create")
          expect(Option.getOrUndefined(span.parent)).toBe(caller)
          expect(span.status._tag).toBe("Ended")
        }).pipe(Effect.provide(layer()))
      )

      it.effect("the spans of those who join link to it", () =>
        Effect.gen(function* () {
          const gate = yield* Deferred.make<void>()
          let creator: Tracer.Span | undefined
          const create = Effect.tap(nativeSpan, (span) => {
            creator = span
            return Deferred.await(gate)
          }).pipe(Effect.as("value"))
          const caller = (who: string) =>
            Effect.fork(
              Effect.withSpan(Effect.zipRight(Cache.getOrCreate("k", create), nativeSpan), who)
            )
          const first = yield* caller("first")
          yield* settleDown
          const joiners = yield* Effect.all(Array.map(["second", "third"], caller))
          yield* settleDown
          yield* Deferred.succeed(gate, undefined)
          expect(linked(yield* Fiber.join(first))).toEqual([])
          for (const joiner of joiners) {
            expect(linked(yield* Fiber.join(joiner))).toEqual([creator])
          }
          expect(creator).toBeDefined()
        }).pipe(Effect.provide(layer()))
      )

      it.effect("a hit and a lookup without a span link nothing", () =>
        Effect.gen(function* () {
          yield* Cache.getOrCreate("k", Effect.succeed("value"))
          const span = yield* Effect.withSpan(
            Effect.zipRight(Cache.getOrCreate("k", Effect.succeed("value")), nativeSpan),
            "hit"
          )
          expect(linked(span)).toEqual([])
        }).pipe(Effect.provide(layer()))
      )

      it.effect("a refresh behind has a root span, which links to its cause", () =>
        Effect.gen(function* () {
          const window = { ttl: "1 minute", staleWhileRevalidate: "1 minute" } as const
          yield* Cache.getOrCreate("k", Effect.succeed("old"), window)
          yield* TestClock.adjust("90 seconds")
          const refreshing = yield* Deferred.make<Tracer.Span>()
          const create = Effect.tap(nativeSpan, (span) => Deferred.succeed(refreshing, span)).pipe(
            Effect.as("new")
          )
          const reader = yield* Effect.withSpan(
            Effect.zipRight(Cache.getOrCreate("k", create, window), nativeSpan),
            "reader"
          )
          const span = yield* Deferred.await(refreshing)
          expect(span.name).toBe("larder.create")
          expect(span.parent).toEqual(Option.none())
          expect(linked(span)).toEqual([reader])
        }).pipe(Effect.provide(layer()))
      )
    })
  })
}
