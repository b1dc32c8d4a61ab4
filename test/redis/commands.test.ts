/** What is sent to a server, as the server hears it. */
import { expect, it } from "@effect/vitest"
import { Cache, CacheRegion } from "effect-larder"
import { RedisCache, RedisClient, type RedisClientOptions } from "effect-larder/redis"
import { FaultProxy } from "effect-larder/testing"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { slotOf } from "../../src/policy/keys.js"
import * as Scripts from "../../src/redis/scripts.js"
import { startCache } from "../cache/world.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, type Monitor, monitor, startCluster, startRedis } from "../servers/redis.js"
import { started } from "./backends.js"

type Options = NonNullable<Parameters<typeof RedisCache.layer>[0]>

let last = 0

/** Under a prefix that nobody else uses, or the one given. */
const startProcess = (
  settings: RedisClientOptions,
  { prefix = `commands-${++last}`, ...options }: Options = {}
) =>
  startCache(
    RedisCache.layer({ prefix, beta: 0, ...options }).pipe(
      Layer.provide(RedisClient.layer(settings))
    )
  )

interface Said {
  readonly name: string
  readonly args: ReadonlyArray<string>
  /** The connection it came by. */
  readonly from: string
}

/** What clients said, scripts left out. */
const said = ({ overheard }: Monitor): Effect.Effect<ReadonlyArray<Said>> =>
  Effect.map(overheard, (all) =>
    all.flatMap(({ args: [name = "", ...args], isFromLua, line }) =>
      isFromLua
        ? []
        : [{ name: name.toUpperCase(), args, from: /^\[\d+ (\S+)\]/.exec(line)?.[1] ?? "" }]
    )
  )

const namesOf = (all: ReadonlyArray<Said>): ReadonlyArray<string> => all.map(({ name }) => name)

/** What is said from now on, while the effect runs. */
const during = <A, E, R>(listening: Monitor, effect: Effect.Effect<A, E, R>) =>
  Effect.zipRight(listening.clear, Effect.zipRight(effect, said(listening)))

const together = { concurrency: "unbounded" } as const

/** After these a server knows all scripts of a lookup, a write, a failure. */
const everyStep = Effect.all([
  Cache.getOrCreate("warm", Effect.succeed(1)),
  Cache.getOrCreate("warm", Effect.succeed(1), { refresh: true }),
  Effect.ignore(Cache.getOrCreate("failing", Effect.fail("no"))),
  Cache.set("warm", 1),
  Cache.invalidate("warm")
])

describeWithServer("what is sent", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))
  const listening = Effect.flatMap(server, monitor)

  /** The monitor, and a process whose scripts the server knows. */
  const scene = Effect.gen(function* () {
    const { url } = yield* server
    const run = yield* startProcess({ url })
    yield* run(everyStep)
    return { hears: yield* listening, run }
  })

  it.scopedLive("a hit is one GET", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      yield* run(Cache.set("k", 1))
      const hits = Effect.repeatN(run(Cache.getOrCreate("k", Effect.die("a miss"))), 19)
      expect(namesOf(yield* during(hears, hits))).toEqual(Array(20).fill("GET"))
      expect(namesOf(yield* during(hears, run(Cache.get("k"))))).toEqual(["GET"])
    })
  )

  it.scopedLive("a crowd's hits on one key are one GET", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      yield* run(Cache.set("k", 1))
      const lookup = run(Cache.getOrCreate("k", Effect.die("a miss")))
      const crowd = Effect.replicateEffect(lookup, 500, together)
      expect(namesOf(yield* during(hears, crowd))).toEqual(["GET"])
    })
  )

  it.scopedLive("reads of one tick are one MGET, of 256 keys at most", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      const keys = Array.from({ length: 600 }, (_, index) => `k${index}`)
      yield* run(Effect.forEach(keys, (key) => Cache.set(key, 1), { concurrency: 64 }))
      const reads = run(
        Effect.forEach(keys, (key) => Cache.getOrCreate(key, Effect.die("a miss")), together)
      )
      const heard = yield* during(hears, reads)
      expect(namesOf(heard)).toEqual(["MGET", "MGET", "MGET"])
      expect(heard.map(({ args }) => args.length)).toEqual([256, 256, 88])
      const gets = run(Effect.forEach(keys.slice(0, 50), (key) => Cache.get(key), together))
      expect(namesOf(yield* during(hears, gets))).toEqual(["MGET"])
    })
  )

  it.scopedLive("a crowd that asks again as soon as it is served travels in two halves", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      const keys = Array.from({ length: 60 }, (_, index) => `k${index}`)
      yield* run(Effect.forEach(keys, (key) => Cache.set(key, 1)))
      const caller = (key: string) =>
        Effect.repeatN(Cache.getOrCreate(key, Effect.die("a miss")), 1)
      const heard = yield* during(hears, run(Effect.forEach(keys, caller, together)))
      expect(heard.map(({ args }) => args.length)).toEqual([60, 30, 30])
    })
  )

  it.scopedLive("large entries are read a few at a time", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      const keys = Array.from({ length: 40 }, (_, index) => `large ${index}`)
      const large = "x".repeat(200_000)
      yield* run(Effect.forEach(keys, (key) => Cache.set(key, large), { concurrency: 4 }))
      const reads = run(Effect.forEach(keys, (key) => Cache.get(key), together))
      yield* reads
      const heard = yield* during(hears, reads)
      for (const { args } of heard) expect(args.length).toBeLessThanOrEqual(12)
    })
  )

  it.scopedLive("a cold miss is three round trips: GET, and two scripts", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      const quick = run(Cache.getOrCreate("quick", Effect.succeed(1)))
      expect(namesOf(yield* during(hears, quick))).toEqual(["GET", "EVALSHA", "EVALSHA"])
      const slow = run(Cache.getOrCreate("slow", Effect.delay(Effect.succeed(1), "300 millis")))
      expect(namesOf(yield* during(hears, slow))).toEqual(["GET", "EVALSHA", "EVALSHA"])
      const crowd = Effect.replicateEffect(
        run(Cache.getOrCreate("crowd", Effect.delay(Effect.succeed(1), "20 millis"))),
        500,
        together
      )
      expect(namesOf(yield* during(hears, crowd))).toEqual(["GET", "EVALSHA", "EVALSHA"])
      const failing = Effect.ignore(run(Cache.getOrCreate("failing", Effect.fail("no"))))
      expect(namesOf(yield* during(hears, failing))).toEqual(["GET", "EVALSHA", "EVALSHA"])
    })
  )

  it.scopedLive("where misses are the rule they are two round trips, and a hit is still one", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      const keys = Array.from({ length: 40 }, (_, index) => `cold ${index}`)
      const lookup = (key: string) => Cache.getOrCreate(key, Effect.succeed(1))
      yield* run(Effect.forEach(keys, lookup))
      expect(namesOf(yield* during(hears, run(lookup("one more"))))).toEqual(["EVALSHA", "EVALSHA"])
      const before = yield* run(Cache.counters)
      expect(namesOf(yield* during(hears, run(lookup("one more"))))).toEqual(["EVALSHA"])
      const after = yield* run(Cache.counters)
      expect([after.hits - before.hits, after.misses - before.misses]).toEqual([1, 0])
      // What may be served stale is read: who asks for the lease is not given it.
      const stale = Cache.getOrCreate("k", Effect.succeed(1), { staleWhileRevalidate: "1 minute" })
      expect(namesOf(yield* during(hears, run(stale)))).toEqual(["GET", "EVALSHA", "EVALSHA"])
      yield* run(Effect.forEach(keys, lookup))
      expect(namesOf(yield* during(hears, run(lookup("one more"))))).toEqual(["GET"])
    })
  )

  it.scopedLive("a creator that takes longer renews its lease at a third of its life", () =>
    Effect.gen(function* () {
      const { hears } = yield* scene
      const { url } = yield* server
      const run = yield* startProcess({ url }, { lease: { duration: "600 millis" } })
      const slow = Effect.delay(Effect.succeed(1), "700 millis")
      yield* run(Cache.getOrCreate("warm", slow, { refresh: true }))
      const heard = yield* during(hears, run(Cache.getOrCreate("slow", slow)))
      // After 200, 400 and 600 milliseconds.
      const [read, lease, ...renewals] = namesOf(heard).slice(0, -1)
      expect([read, lease]).toEqual(["GET", "EVALSHA"])
      expect(renewals).toEqual(["EVALSHA", "EVALSHA", "EVALSHA"])
    })
  )

  it.scopedLive("a write is one script, and so is an invalidation", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      expect(namesOf(yield* during(hears, run(Cache.set("k", 1))))).toEqual(["EVALSHA"])
      expect(namesOf(yield* during(hears, run(Cache.invalidate("k"))))).toEqual(["EVALSHA"])
      const refresh = run(Cache.getOrCreate("k", Effect.succeed(1), { refresh: true }))
      expect(namesOf(yield* during(hears, refresh))).toEqual(["EVALSHA", "EVALSHA"])
    })
  )

  it.scopedLive("a ttl of zero is asked of nobody", () =>
    Effect.gen(function* () {
      const { hears, run } = yield* scene
      const lookup = run(Cache.getOrCreate("k", Effect.succeed(1), { ttl: 0 }))
      expect(namesOf(yield* during(hears, lookup))).toEqual([])
    })
  )

  it.scopedLive(
    "a server that has forgotten the scripts is told them again, and no one notices",
    () =>
      Effect.gen(function* () {
        const { hears, run } = yield* scene
        const here = yield* server
        yield* command(here, "SCRIPT", "FLUSH")
        const lookup = run(Cache.getOrCreate("forgotten", Effect.succeed(1)))
        expect(namesOf(yield* during(hears, lookup))).toEqual([
          ...["GET", "EVALSHA", "EVAL", "EVALSHA", "EVAL"]
        ])
        yield* command(here, "SCRIPT", "FLUSH")
        for (const use of [Cache.set("f", 1), Cache.invalidate("f"), Cache.clear]) yield* run(use)
        expect((yield* run(Cache.counters)).backendErrors).toBe(0)
      })
  )

  // A asks for the lease by a script that the server has forgotten, and is interrupted
  // before that is known. Asked again by EVAL, behind A's release, the lease would be
  // granted to nobody: all others would wait until it has run out.
  it.scopedLive("who has left asks no more when the server does not know the script", () =>
    Effect.gen(function* () {
      const here = yield* server
      const proxy = yield* FaultProxy.make(here)
      const run = yield* startProcess({ url: proxy.url })
      yield* run(everyStep)
      yield* command(here, "SCRIPT", "FLUSH")
      yield* proxy.hold(([name]) => name === "evalsha")
      const leaving = yield* Effect.fork(run(Cache.getOrCreate("left", Effect.succeed(1))))
      const asked = yield* proxy.next()
      yield* asked.execute
      yield* Fiber.interruptFork(leaving)
      const given = yield* proxy.next()
      yield* given.execute
      yield* proxy.release
      yield* Fiber.await(leaving)
      const sent = yield* proxy.commands
      const again = sent.filter(([name, lua]) => name === "eval" && lua === Scripts.read.lua)
      expect(again.filter((words) => words.some((word) => word.endsWith(":left")))).toEqual([])
      expect(yield* run(Cache.getOrCreate("left", Effect.succeed(2)))).toBe(2)
    })
  )

  // The first to come reads, asks for the lease and is told that it is held; the
  // push has it ask once more, and then it has the value.
  it.scopedLive("who waits for another process asks twice, however many wait there", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const [here, there] = yield* Effect.all([
        startProcess({ url }, { prefix: "waiting" }),
        startProcess({ url }, { prefix: "waiting" })
      ])
      const hears = yield* listening
      for (const [nth, key] of ["stored", "stored again", "and again"].entries()) {
        const [begun, gate] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const create = Deferred.succeed(begun, undefined).pipe(
          Effect.zipRight(Deferred.await(gate)),
          Effect.as("made")
        )
        yield* hears.clear
        const holder = yield* Effect.fork(here(Cache.getOrCreate(key, create)))
        yield* Deferred.await(begun)
        const ours = new Set((yield* said(hears)).map(({ from }) => from))
        const waiters = there(Cache.getOrCreate(key, Effect.die("a second load")))
        const crowd = yield* Effect.fork(Effect.replicateEffect(waiters, 100, together))
        const waits = Effect.delay(there(Cache.counters), 1)
        yield* Effect.repeat(waits, { until: ({ waits }) => waits > nth })
        yield* Deferred.succeed(gate, undefined)
        expect(yield* crowd).toEqual(Array(100).fill("made"))
        yield* Fiber.join(holder)
        const theirs = (yield* said(hears)).filter(
          ({ from, name }) => !ours.has(from) && name !== "PING"
        )
        expect(namesOf(theirs)).toEqual(["GET", "EVALSHA", "GET"])
      }
      expect((yield* there(Cache.counters)).waits).toBe(3)
    })
  )

  it.scopedLive("never KEYS, never FLUSH, and nothing that looks at the whole server", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const hears = yield* listening
      yield* hears.clear
      const prefix = "everything"
      const here = yield* startProcess({ url }, { prefix, lease: { duration: "300 millis" } })
      const there = yield* startProcess({ url, maxConnections: 4 }, { prefix })
      const users = CacheRegion.make({ name: "user", value: Schema.Number, error: Schema.String })
      const slow = Cache.getOrCreate("slow", Effect.delay(Effect.succeed(1), "400 millis"))
      yield* Effect.all([here(slow), there(slow)], together)
      for (const run of [here, there]) {
        yield* run(
          Effect.all([
            Cache.set("a", 1),
            Cache.getOrCreate("b", Effect.succeed(2), {
              ttl: 10,
              staleWhileRevalidate: "1 minute"
            }),
            Effect.sleep(20),
            Cache.getOrCreate("b", Effect.succeed(3)),
            Effect.ignore(Cache.getOrCreate("c", Effect.fail("no"))),
            Cache.getOrCreate("d", Effect.succeed(1), { refresh: true }),
            Effect.ignore(users.getOrCreate("e", Effect.fail("gone"))),
            users.set("f", 1),
            Cache.inspect("a"),
            Cache.stats,
            Cache.health,
            Cache.invalidate("a"),
            users.clear,
            Cache.clear
          ])
        )
      }
      const all = yield* hears.overheard
      const words = new Set(all.map(({ args: [name = ""] }) => name.toUpperCase()))
      const known = new Set([
        // On connecting, and now and then.
        ...["INFO", "CLIENT", "SELECT", "AUTH", "HELLO", "TIME", "PING", "SUBSCRIBE", "PUBLISH"],
        // On a key or some, or page by page.
        ...["GET", "MGET", "SET", "DEL", "UNLINK", "PTTL", "SCAN", "EVAL", "EVALSHA"]
      ])
      expect([...words].filter((name) => !known.has(name))).toEqual([])
      expect(words).toContain("SCAN")
      expect(words).toContain("UNLINK")
    })
  )

  it.scopedLive(
    "an idle process sends a ping every 5 seconds, and nothing else",
    () =>
      Effect.gen(function* () {
        const { url } = yield* server
        const hears = yield* listening
        const run = yield* startProcess({ url, maxConnections: 3 })
        yield* run(
          Effect.all(
            [
              Cache.getOrCreate("slow", Effect.delay(Effect.succeed(1), "50 millis")),
              Cache.set("k", 1),
              Cache.invalidate("none"),
              Effect.ignore(Cache.getOrCreate("failing", Effect.fail("no"))),
              Cache.getOrCreate("left", Effect.never).pipe(Effect.timeoutOption("50 millis"))
            ],
            together
          )
        )
        const heard = yield* during(hears, Effect.sleep("6 seconds"))
        // Others of this run may be closing, but none is heard.
        expect(namesOf(heard).filter((name) => name !== "TIME")).toEqual(["PING"])
        expect(heard.length).toBeLessThanOrEqual(4)
      }),
    15_000
  )

  it.scopedLive("5,000 fibers at once on few connections: no error, and no more connections", () =>
    Effect.gen(function* () {
      const here = yield* server
      const numberOf = (name: string) =>
        Effect.map(command(here, "INFO", "clients"), (text) =>
          Number(new RegExp(`^${name}:(\\d+)`, "m").exec(String(text))?.[1])
        )
      const accepted = Effect.map(command(here, "INFO", "stats"), (text) =>
        Number(/^total_connections_received:(\d+)/m.exec(String(text))?.[1])
      )
      const before = yield* numberOf("connected_clients")
      // On a busy machine 5,000 commands take more than the second that is the default.
      const settings = { url: here.url, maxConnections: 3, commandTimeout: "20 seconds" } as const
      const run = yield* startProcess(settings)
      expect(yield* numberOf("connected_clients")).toBe(before + 3)
      const opened = yield* accepted
      const lookup = (index: number) =>
        Cache.getOrCreate(`k${index % 1_000}`, Effect.delay(Effect.succeed(index % 1_000), 5))
      const indices = Array.from({ length: 5_000 }, (_, index) => index)
      const values = yield* run(Effect.forEach(indices, lookup, together))
      expect(values).toEqual(indices.map((index) => index % 1_000))
      yield* run(Effect.forEach(indices, (index) => Cache.set(`s${index}`, index), together))
      yield* run(Effect.forEach(indices, (index) => Cache.invalidate(`s${index}`), together))
      const { backendErrors, loads } = yield* run(Cache.counters)
      expect({ backendErrors, loads }).toEqual({ backendErrors: 0, loads: 1_000 })
      expect((yield* run(Cache.health)).pendingInvalidations).toBe(0)
      // Ours since, and the command that asked.
      expect((yield* accepted) - opened).toBe(1)
    })
  )

  it.scopedLive("maxConnections are all there are, and a key always goes by the same", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const run = yield* startProcess({ url, maxConnections: 5 }, { prefix: "always" })
      const hears = yield* listening
      const keys = Array.from({ length: 60 }, (_, index) => `k${index}`)
      const heard = yield* during(
        hears,
        run(
          Effect.gen(function* () {
            for (const key of keys) {
              yield* Cache.getOrCreate(key, Effect.succeed(1))
              yield* Cache.get(key)
              yield* Cache.set(key, 2)
            }
            yield* Effect.forEach(keys, (key) => Cache.get(key), together)
            for (const key of keys) yield* Cache.invalidate(key)
          })
        )
      )
      const by = new Map<string, Set<string>>()
      for (const { args, from } of heard) {
        for (const key of args.filter((arg) => arg.startsWith("always:"))) {
          by.set(key, (by.get(key) ?? new Set()).add(from))
        }
      }
      expect(by.size).toBe(keys.length)
      for (const [key, connections] of by) expect(connections.size, key).toBe(1)
      const connections = new Set([...by.values()].flatMap((each) => [...each]))
      expect(connections.size).toBe(4)
      // By slot: keys that a cluster would keep together travel together here, too.
      const tagged = ["{t}1", "{t}2", "{t}3"]
      const one = yield* during(
        hears,
        run(Effect.forEach(tagged, (key) => Cache.get(key), together))
      )
      expect(namesOf(one)).toEqual(["MGET"])
    })
  )
})

describeWithServer("what is sent without scripting", ["redis-server"], () => {
  it.scopedLive("a refused script is not tried again; a step is two round trips", () =>
    Effect.gen(function* () {
      const server = yield* startRedis({ scripting: false })
      const hears = yield* monitor(server)
      const run = yield* startProcess({ url: server.url })
      const find = ["WATCH", "TIME", "GET", "GET", "GET", "EXISTS"]
      const hits = Effect.zipRight(Cache.set("k", 1), Cache.get("k"))
      yield* run(hits)
      const miss = run(Cache.getOrCreate("miss", Effect.succeed(1)))
      expect(namesOf(yield* during(hears, miss))).toEqual([
        "GET",
        ...[...find, "MULTI", "SET", "EXEC"],
        ...[...find, "MULTI", "SET", "DEL", "EXEC"]
      ])
      expect(namesOf(yield* during(hears, run(Cache.get("k"))))).toEqual(["GET"])
      expect((yield* run(Cache.counters)).backendErrors).toBe(0)
    })
  )
})

describeWithServer("what is sent to a cluster", ["redis-server"], () => {
  const cluster = started(startCluster())

  /** What each of the three hears. */
  const hearing: Effect.Effect<
    { readonly heard: Effect.Effect<ReadonlyArray<Said>>; readonly clear: Effect.Effect<void> },
    unknown,
    Scope.Scope
  > = Effect.gen(function* () {
    const { nodes } = yield* cluster
    const monitors = yield* Effect.forEach(nodes, monitor)
    return {
      heard: Effect.map(Effect.forEach(monitors, said), (all) => all.flat()),
      clear: Effect.forEach(monitors, ({ clear }) => clear, { discard: true })
    }
  })

  const scene = Effect.gen(function* () {
    const { nodes } = yield* cluster
    const run = yield* startProcess({
      cluster: { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`) }
    })
    const { clear, heard } = yield* hearing
    // On every node. As many hits as misses, so that reading goes on.
    const some = Array.from({ length: 30 }, (_, nth) => `warm${nth}`)
    yield* run(
      Effect.forEach(some, (key) =>
        Effect.all([
          Cache.getOrCreate(key, Effect.succeed(1)),
          Cache.set(key, 1),
          Cache.getOrCreate(key, Effect.die("a miss"))
        ])
      )
    )
    return {
      run,
      during: <A, E, R>(effect: Effect.Effect<A, E, R>) =>
        Effect.zipRight(clear, Effect.zipRight(effect, heard))
    }
  })

  it.scopedLive("a hit is one GET, a miss is GET and two scripts, and nobody is asked twice", () =>
    Effect.gen(function* () {
      const { during, run } = yield* scene
      for (const key of ["a", "b", "c", "{x}", "}{", ""]) {
        const miss = run(Cache.getOrCreate(key, Effect.succeed(1)))
        expect(namesOf(yield* during(miss))).toEqual(["GET", "EVALSHA", "EVALSHA"])
        expect(namesOf(yield* during(run(Cache.get(key))))).toEqual(["GET"])
        // A push of what was written goes outside the script.
        const names = namesOf(yield* during(run(Cache.set(key, 1))))
        expect(names.toSorted()).toEqual(["EVALSHA", "PUBLISH"])
      }
    })
  )

  it.scopedLive("reads of one tick are one command a slot", () =>
    Effect.gen(function* () {
      const { during, run } = yield* scene
      const keys = ["{a}1", "{a}2", "{a}3", "{b}1", "{b}2", "c"]
      yield* run(Effect.forEach(keys, (key) => Cache.set(key, 1)))
      const heard = yield* during(
        run(Effect.forEach(keys, (key) => Cache.getOrCreate(key, Effect.die("a miss")), together))
      )
      expect(namesOf(heard).toSorted()).toEqual(["GET", "MGET", "MGET"])
      for (const { args } of heard) expect(new Set(args.map(slotOf)).size).toBe(1)
    })
  )
})
