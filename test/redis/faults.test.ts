/** Whatever befalls a server or the way to it, callers get their values in time, and it heals by itself. */
import { expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { Cache } from "effect-larder"
import { type RedisCache, RedisClient, RedisUnavailable } from "effect-larder/redis"
import { FaultProxy } from "effect-larder/testing"
import { Redis } from "ioredis"
import { inspect } from "node:util"
import { vi } from "vitest"
import { freePort } from "../../src/testing/faults/port.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, type RedisServer, startRedis } from "../servers/redis.js"
import { ofLevel, withLog } from "./log.js"
import {
  commandTimeout,
  creatorTime,
  eventually,
  type Instance,
  pendingOf,
  type Report,
  slack,
  startInstance,
  startOver,
  startTraffic,
  timed,
  untilNothingPends,
  untilShared
} from "./traffic.js"

const longestLookup = 2 * creatorTime + commandTimeout + slack
const longestWrite = commandTimeout + slack

const expectUnharmed = (report: Report): void => {
  expect(report.failures).toEqual([])
  expect(report.stale).toEqual([])
  expect(report.slowestLookup).toBeLessThan(longestLookup)
  expect(report.slowestWrite).toBeLessThan(longestWrite)
  expect(report.lookups).toBeGreaterThan(30)
}

/**
 * A holder whose commit is lost with its release leaves its lease behind, as one
 * that crashed: others wait until it runs out.
 */
const lease = { duration: "400 millis" } as const

const startPair = (url: string, options: RedisCache.RedisCacheOptions = {}) => {
  const start = startInstance({ url }, { lease, ...options })
  return Effect.all([start, start])
}

/** In no hurry: that this machine is busy must not count as a fault. */
const startPatientPair = (url: string, prefix: string) => {
  const start = startInstance({ url, commandTimeout: "10 seconds" }, { prefix })
  return Effect.all([start, start])
}

const sumOf = (instances: ReadonlyArray<Instance>, name: "backendErrors" | "loads") =>
  Effect.map(
    Effect.forEach(instances, ({ run }) => run(Cache.counters)),
    (counters) => counters.reduce((sum, each) => sum + each[name], 0)
  )

/** How many creators run when all ask for a cold key at once. */
const loadsOfCrowd = (instances: ReadonlyArray<Instance>, key: string) =>
  Effect.gen(function* () {
    let loads = 0
    const create = Effect.delay(
      Effect.sync(() => ++loads),
      creatorTime
    )
    const crowd = instances.flatMap(({ run }) =>
      Array.from({ length: 500 }, () => run(Cache.getOrCreate(key, create)))
    )
    yield* Effect.all(crowd, { concurrency: "unbounded" })
    return loads
  })

interface Scene {
  readonly server: RedisServer
  readonly proxy: FaultProxy.Service
}

interface Fault {
  readonly name: string
  readonly happens: (scene: Scene) => Effect.Effect<void>
  readonly fakeClock?: true
  readonly withoutScripts?: true
}

/** The cache's own account of it. */
const opened = "Circuit breaker opened (failing fast) [ 'breaker', 'larder' ]"

const meanwhile = Effect.sleep("800 millis")
const inTurn = (...steps: ReadonlyArray<Effect.Effect<void>>) =>
  Effect.all(steps, { discard: true })

const hour = 3_600_000

const faults: ReadonlyArray<Fault> = [
  {
    name: "a server that is stopped, and started again empty",
    happens: ({ server }) => inTurn(server.stop, meanwhile, server.restart)
  },
  {
    name: "a server that is killed, and started again empty",
    happens: ({ server }) => inTurn(server.kill, meanwhile, server.restart),
    withoutScripts: true
  },
  {
    name: "a server that stands still, and goes on",
    happens: ({ server }) => inTurn(server.pause, meanwhile, server.resume),
    withoutScripts: true
  },
  {
    name: "a network that swallows everything, and heals",
    happens: ({ proxy }) => inTurn(proxy.blackHole(), meanwhile, proxy.heal),
    withoutScripts: true
  },
  {
    name: "a network that cuts and refuses, and heals",
    happens: ({ proxy }) => inTurn(proxy.refuse, proxy.reset, meanwhile, proxy.heal)
  },
  {
    name: "connections that are reset again and again",
    happens: ({ proxy }) => Effect.repeatN(Effect.delay(proxy.reset, "100 millis"), 8),
    withoutScripts: true
  },
  {
    name: "a server's clock that is set an hour forward",
    happens: ({ server }) => inTurn(server.stepClock(hour), meanwhile),
    fakeClock: true
  },
  {
    name: "a server's clock that is set an hour back",
    happens: ({ server }) => inTurn(server.stepClock(-hour), meanwhile),
    fakeClock: true
  }
]

describeWithServer("Redis under traffic", ["redis-server", "libfaketimeMT.so.1"], () => {
  for (const { fakeClock, happens, name, withoutScripts } of faults) {
    for (const scripting of withoutScripts ? [true, false] : [true]) {
      it.scopedLive(`survives ${name}${scripting ? "" : " (without scripts)"}`, () =>
        withLog((lines) =>
          Effect.gen(function* () {
            const server = yield* startRedis({ own: true, scripting, fakeClock })
            const proxy = yield* FaultProxy.make(server)
            const instances = yield* startPair(proxy.url, { breaker: { enabled: false } })
            const report = yield* startTraffic(instances)
            yield* Effect.sleep("300 millis")
            yield* happens({ server, proxy })
            yield* untilShared(instances)
            yield* Effect.sleep("300 millis")
            expectUnharmed(report)
            expect(ofLevel(lines, "ERROR")).toEqual([])
          })
        )
      )
    }
    if (fakeClock) continue

    // With its circuit open a process may hear late of what another has invalidated: by the
    // length of one creator.
    it.scopedLive(`survives ${name}, under a circuit breaker`, () =>
      withLog((lines) =>
        Effect.gen(function* () {
          const server = yield* startRedis({ own: true })
          const proxy = yield* FaultProxy.make(server)
          const instances = yield* startPair(proxy.url)
          const report = yield* startTraffic(instances, creatorTime + slack)
          yield* Effect.sleep("300 millis")
          yield* happens({ server, proxy })
          yield* untilShared(instances)
          yield* Effect.sleep("300 millis")
          expectUnharmed(report)
          expect(new Set(ofLevel(lines, "ERROR"))).toEqual(new Set([opened]))
        })
      )
    )
  }

  it.scopedLive("survives SCRIPT FLUSH again and again, without a single fault", () =>
    withLog(() =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const instances = yield* startPatientPair(server.url, "traffic")
        const report = yield* startTraffic(instances)
        const flush = Effect.zipRight(Effect.sleep("5 millis"), command(server, "SCRIPT", "FLUSH"))
        yield* Effect.forkScoped(Effect.forever(flush))
        yield* Effect.sleep("700 millis")
        const apart = yield* startPatientPair(server.url, "apart")
        expect(yield* loadsOfCrowd(apart, "crowd")).toBe(1)
        expectUnharmed(report)
        expect(yield* sumOf([...instances, ...apart], "backendErrors")).toBe(0)
      })
    )
  )

  it.scopedLive("needs no EVAL and no EVALSHA, and makes no fault of their absence", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true, scripting: false })
        const instances = yield* startPatientPair(server.url, "traffic")
        const report = yield* startTraffic(instances)
        yield* Effect.sleep("700 millis")
        const apart = yield* startPatientPair(server.url, "apart")
        expect(yield* loadsOfCrowd(apart, "crowd")).toBe(1)
        expectUnharmed(report)
        expect(yield* sumOf([...instances, ...apart], "backendErrors")).toBe(0)
        expect(lines.filter(({ level }) => level !== "DEBUG")).toEqual([])
      })
    )
  )
})

describeWithServer("a fault of Redis", ["redis-server"], () => {
  it.scopedLive("ends a lookup's commands: it creates, and asks no more", () =>
    withLog(() =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const proxy = yield* FaultProxy.make(server)
        const { run } = yield* startInstance({ url: proxy.url })
        yield* proxy.blackHole()
        yield* proxy.forgetCommands
        const [took, value] = yield* timed(run(Cache.getOrCreate("k", Effect.succeed(1))))
        expect(value).toBe(1)
        expect(took).toBeLessThan(commandTimeout + slack)
        const sent = (yield* proxy.commands).filter((words) => words.includes("larder:k"))
        expect(sent).toEqual([["get", "larder:k"]])
      })
    )
  )

  // Ten rebuilds end while the server stands still: without scripts their commits
  // take turns on the connection, and none is answered.
  for (const scripting of [true, false]) {
    const how = scripting ? "" : " (without scripts)"
    it.scopedLive(`costs commits at one time one command's time, not each another${how}`, () =>
      withLog(() =>
        Effect.gen(function* () {
          const server = yield* startRedis({ own: true, scripting })
          const { run } = yield* startInstance({ url: server.url })
          yield* run(Cache.set("found out", "whether there are scripts"))
          let running = 0
          const haveBegun = yield* Deferred.make<void>()
          const create = Effect.suspend(() => {
            if (++running === 10) Deferred.unsafeDone(haveBegun, Effect.void)
            return Effect.delay(Effect.succeed("created"), creatorTime)
          })
          const lookups = Array.from({ length: 10 }, (_, key) =>
            timed(run(Cache.getOrCreate(`k${key}`, create)))
          )
          const fiber = yield* Effect.fork(Effect.all(lookups, { concurrency: "unbounded" }))
          yield* Deferred.await(haveBegun)
          yield* server.pause
          const took = (yield* Fiber.join(fiber)).map(([millis]) => millis)
          expect(Math.max(...took)).toBeLessThan(creatorTime + commandTimeout + slack)
        })
      )
    )
  }

  it.scopedLive("keeps nobody from closing the cache, with a rebuild under way", () =>
    withLog(() =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const proxy = yield* FaultProxy.make(server)
        const scope = yield* Scope.make()
        const { run } = yield* Scope.extend(startInstance({ url: proxy.url }), scope)
        const begun = yield* Deferred.make<void>()
        const create = Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
        const caller = yield* Effect.fork(run(Cache.getOrCreate("k", create)))
        yield* Deferred.await(begun)
        yield* proxy.blackHole()
        const [took] = yield* timed(Scope.close(scope, Exit.void))
        expect(took).toBeLessThan(commandTimeout + slack)
        expect(Exit.isInterrupted(yield* Fiber.await(caller))).toBe(true)
      })
    )
  )

  it.scopedLive("leaves invalidations pending that are replayed when it is over", () =>
    withLog(() =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const proxy = yield* FaultProxy.make(server)
        const here = yield* startInstance({ url: proxy.url })
        const there = yield* startInstance({ url: server.url })
        for (const key of ["a", "b", "c"]) yield* here.run(Cache.set(key, "old"))
        yield* proxy.refuse
        yield* proxy.reset
        yield* eventually(
          Effect.map(here.run(Cache.get("a")), Option.isNone),
          "the connection is lost"
        )
        expect(yield* here.run(Cache.invalidate("a"))).toBe(false)
        yield* here.run(Cache.set("b", "newer"))
        yield* here.run(Cache.clear)
        expect(yield* pendingOf(here)).toBe(3)
        expect(yield* here.run(Cache.getOrCreate("a", Effect.succeed("new")))).toBe("new")
        expect(yield* there.run(Cache.get("a"))).toEqual(Option.some("old"))

        yield* proxy.heal
        yield* untilNothingPends(here)
        for (const key of ["a", "b", "c"]) {
          expect(yield* there.run(Cache.get(key))).toEqual(Option.none())
        }
        expect(yield* here.run(Cache.getOrCreate("a", Effect.succeed("new")))).toBe("new")
        expect(yield* there.run(Cache.get("a"))).toEqual(Option.some("new"))
      })
    )
  )
})

describeWithServer("a process whose own clock is wrong", ["redis-server"], () => {
  /** As if somebody had set this machine's clock while it runs. */
  const withWallClock = <A, E, R>(ahead: number, effect: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.sync(() =>
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ahead, shouldAdvanceTime: false })
      ),
      () => effect,
      () => Effect.sync(() => vi.useRealTimers())
    )

  for (const ahead of [hour, -hour]) {
    it.scopedLive(`by ${ahead > 0 ? "+" : "-"}1 h agrees with all others on what is fresh`, () =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const right = yield* startInstance({ url: server.url })
        const wrong = yield* withWallClock(ahead, startInstance({ url: server.url }))
        const inWrong = <A, E>(effect: Effect.Effect<A, E, Cache>) =>
          withWallClock(ahead, wrong.run(effect))

        yield* inWrong(Cache.set("of wrong", 1, { ttl: "1 second" }))
        yield* right.run(Cache.set("of right", 2, { ttl: "1 second" }))
        for (const run of [right.run, inWrong]) {
          expect(yield* run(Cache.get("of wrong"))).toEqual(Option.some(1))
          expect(yield* run(Cache.get("of right"))).toEqual(Option.some(2))
          for (const key of ["of wrong", "of right"]) {
            const { age, freshness, timeToLive } = Option.getOrThrow(yield* run(Cache.inspect(key)))
            expect(freshness).toBe("fresh")
            expect(Duration.toMillis(age)).toBeLessThan(500)
            expect(Duration.toMillis(timeToLive)).toBeGreaterThan(300)
            expect(Duration.toMillis(timeToLive)).toBeLessThan(1_100)
          }
        }
        expect(yield* command(server, "PTTL", "larder:of wrong")).toBeLessThanOrEqual(1_000)

        const loads = yield* withWallClock(ahead, loadsOfCrowd([right, wrong], "crowd"))
        expect(loads).toBe(1)

        yield* Effect.sleep("1 second")
        for (const run of [right.run, inWrong]) {
          expect(yield* run(Cache.get("of wrong"))).toEqual(Option.none())
          expect(yield* run(Cache.get("of right"))).toEqual(Option.none())
        }
      })
    )
  }
})

describeWithServer("a cache that starts while Redis is down", ["redis-server"], () => {
  const connectTimeout = 600

  const ways: Readonly<
    Record<string, (scene: Scene) => readonly [Effect.Effect<void>, Effect.Effect<void>]>
  > = {
    "that nobody answers for": ({ server }) => [server.kill, server.restart],
    "behind a network that swallows everything": ({ proxy }) => [proxy.blackHole(), proxy.heal],
    "that stands still": ({ server }) => [server.pause, server.resume]
  }

  for (const [how, way] of Object.entries(ways)) {
    it.scopedLive(`${how} goes on in this process alone, and takes over when Redis is there`, () =>
      withLog((lines) =>
        Effect.gen(function* () {
          const server = yield* startRedis({ own: true })
          const proxy = yield* FaultProxy.make(server)
          const [goDown, comeBack] = way({ server, proxy })
          yield* goDown
          const starting = Effect.all([
            timed(startInstance({ url: proxy.url, connectTimeout })),
            timed(startInstance({ url: proxy.url, connectTimeout }))
          ])
          const [[took, here], [tookToo, there]] = yield* starting
          expect(Math.max(took, tookToo)).toBeLessThan(connectTimeout + slack)
          expect(ofLevel(lines, "WARN").join("\n")).toContain(
            "Failed to connect to Redis, falling back to NoOp cache (graceful degradation)"
          )
          expect(new Set(ofLevel(lines, "ERROR"))).toEqual(new Set([opened]))
          expect(yield* loadsOfCrowd([here], "crowd")).toBe(1)
          expect(yield* here.run(Cache.invalidate("crowd"))).toBe(false)
          expect(yield* pendingOf(here)).toBe(1)

          yield* comeBack
          yield* untilShared([here, there])
          expect(yield* loadsOfCrowd([here, there], "another crowd")).toBe(1)
        })
      )
    )
  }
})

describeWithServer("a client that insists", ["redis-server"], () => {
  const connectTimeout = 600
  const secret = "correct-horse"

  const places: Readonly<Record<string, Effect.Effect<number, unknown, Scope.Scope>>> = {
    "where nobody listens": freePort,
    "where nobody answers": Effect.gen(function* () {
      const proxy = yield* FaultProxy.make(yield* startRedis({ own: true }))
      yield* proxy.blackHole()
      return proxy.port
    }),
    "that asks for another password": Effect.map(
      startRedis({ own: true, args: ["--requirepass", "battery-staple"] }),
      ({ port }) => port
    ),
    "that asks for none": Effect.map(startRedis({ own: true }), ({ port }) => port)
  }

  for (const [where, place] of Object.entries(places)) {
    it.scopedLive(`is not built over a server ${where}, and its error shows no password`, () =>
      withLog((lines) =>
        Effect.gen(function* () {
          const port = yield* place
          const url = `redis://somebody:${secret}@127.0.0.1:${port}`
          const strict = RedisClient.layerStrict({ url, connectTimeout, commandTimeout })
          const [took, exit] = yield* timed(Effect.exit(Layer.build(strict)))
          expect(took).toBeLessThan(connectTimeout + slack)
          const error = Option.getOrThrow(Cause.failureOption(failureOf(exit)))
          expect(error).toBeInstanceOf(RedisUnavailable)
          expect(error.message).toContain(`127.0.0.1:${port}`)
          const shown = [
            Cause.pretty(failureOf(exit)),
            inspect(error, { depth: 20, showHidden: true }),
            JSON.stringify(error),
            ...lines.map(({ text }) => text)
          ]
          expect(shown.filter((text) => text.includes(secret))).toEqual([])
        })
      )
    )
  }

  const failureOf = <A, E>(exit: Exit.Exit<A, E>): Cause.Cause<E> => {
    if (Exit.isSuccess(exit)) throw new Error("it was built")
    return exit.cause
  }
})

describeWithServer("a Redis that refuses us", ["redis-server"], () => {
  it.scopedLive("for a wrong password is an error in the log, which shows no password", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const secret = "correct-horse"
        const printed: Array<string> = []
        for (const method of ["log", "warn", "error", "info", "debug"] as const) {
          const spy = vi
            .spyOn(console, method)
            .mockImplementation((...parts) => void printed.push(inspect(parts, { depth: 20 })))
          yield* Effect.addFinalizer(() => Effect.sync(() => spy.mockRestore()))
        }
        const server = yield* startRedis({ own: true, args: ["--requirepass", "battery-staple"] })
        const url = `redis://:${secret}@127.0.0.1:${server.port}`
        const here = yield* startInstance({ url })
        expect(yield* loadsOfCrowd([here], "crowd")).toBe(1)
        yield* Effect.sleep("500 millis")
        const [error, ...others] = ofLevel(lines, "ERROR")
        expect(error).toContain(`127.0.0.1:${server.port}`)
        expect(others.filter((text) => text !== opened)).toEqual([])
        expect(printed).toEqual([])
        expect(lines.filter(({ text }) => /correct-horse|battery-staple/.test(text))).toEqual([])

        // Somebody puts it right: no restart.
        yield* command(
          { url: `redis://:battery-staple@127.0.0.1:${server.port}` },
          ...(["CONFIG", "SET", "requirepass", secret] as const)
        )
        yield* untilShared([here])
      })
    )
  )

  // The reply to the waiter's question says "held"; it can hear no push.
  it.scopedLive("for lack of channel rights is polled, and says so once, naming the channel", () =>
    withLog((lines) =>
      Effect.gen(function* () {
        const server = yield* startRedis({ own: true })
        const rule = "larder on >secret ~* +@all resetchannels".split(" ")
        yield* command(server, "ACL", "SETUSER", ...rule)
        const proxy = yield* FaultProxy.make(server)
        const url = `redis://larder:secret@127.0.0.1:${proxy.port}`
        const here = yield* startInstance({ url })
        const warnings = () => ofLevel(lines, "WARN").filter((text) => text.includes("larder!push"))
        expect(warnings()).toHaveLength(1)
        const there = yield* startInstance({ url })
        const held = yield* Effect.fork(
          here.run(Cache.getOrCreate("k", Effect.delay(Effect.succeed(1), "300 millis")))
        )
        yield* Effect.sleep("100 millis")
        const [took, value] = yield* timed(there.run(Cache.getOrCreate("k", Effect.succeed(2))))
        expect([yield* held, value]).toEqual([1, 1])
        expect(took).toBeLessThan(200 + 300 + slack)
        yield* here.run(Cache.invalidate("k"))
        expect(yield* there.run(Cache.get("k"))).toEqual(Option.none())

        yield* proxy.reset
        yield* Effect.sleep("600 millis")
        yield* untilShared([here, there])
        expect(yield* sumOf([here, there], "backendErrors")).toBe(0)
        expect(warnings()).toHaveLength(2)
        expect(lines.filter(({ text }) => text.includes("secret"))).toEqual([])
      })
    )
  )
})

describeWithServer("a cache over the user's own client", ["redis-server"], () => {
  it.scopedLive("neither uses that client nor closes it", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ own: true })
      const own = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(server.url, { keyPrefix: "user:", db: 3 })),
        (client) => Effect.sync(() => client.disconnect())
      )
      const address = yield* Effect.promise(async () => {
        const info = await own.client("INFO")
        return /(?:^| )addr=(\S+)/.exec(String(info))?.[1]
      })
      const heard: Array<{ readonly from: string; readonly db: string; readonly words: string }> =
        []
      const listening = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(server.url)),
        (client) => Effect.sync(() => client.disconnect())
      )
      const listener = yield* Effect.acquireRelease(
        Effect.promise(() => listening.monitor()),
        (monitor) => Effect.sync(() => monitor.disconnect())
      )
      listener.on("monitor", (_time: string, args: Array<string>, from: string, db: string) => {
        heard.push({ from, db, words: args.join(" ") })
      })

      yield* Effect.scoped(
        Effect.gen(function* () {
          const client = RedisClient.fromIORedis(own)
          const instances = yield* Effect.all([startOver(client), startOver(client)])
          expect(yield* loadsOfCrowd(instances, "k")).toBe(1)
          yield* untilShared(instances)
          yield* instances[0].run(Cache.invalidate("k"))
          expect(yield* instances[1].run(Cache.get("k"))).toEqual(Option.none())
          yield* instances[0].run(Cache.set("kept", 1))
        })
      )

      expect(own.status).toBe("ready")
      expect(yield* Effect.promise(() => own.ping("still here"))).toBe("still here")
      const keys = yield* Effect.promise(() => own.keys("*"))
      expect(keys).toContain("larder:kept")
      expect(keys.filter((key) => key.startsWith("user:"))).toEqual([])
      const ofOwn = () => heard.filter(({ from }) => from === address).map(({ words }) => words)
      yield* eventually(
        Effect.sync(() => ofOwn().includes("keys *")),
        "MONITOR tells what was said last"
      )
      expect(ofOwn()).toEqual(["ping still here", "keys *"])
      expect(heard.some(({ db, words }) => db === "3" && words.includes("larder:k"))).toBe(true)
      const others = Effect.map(
        Effect.promise(() => own.client("LIST")),
        (clients) =>
          String(clients)
            .split("\n")
            .filter((line) => line.includes(" db=3 ")).length - 1
      )
      yield* eventually(
        Effect.map(others, (count) => count === 0),
        "the cache's connections are closed"
      )
    })
  )
})
