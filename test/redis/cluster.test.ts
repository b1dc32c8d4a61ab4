/** A cluster whose servers change: slots on their way from one to another, a server that is gone. */
import { expect, it } from "@effect/vitest"
import { Cache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import { slotOf } from "../../src/policy/keys.js"
import * as RedisBackend from "../../src/redis/RedisBackend.js"
import type { Sender } from "../../src/redis/driver.js"
import { startCache } from "../cache/world.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, type RedisServer, startCluster } from "../servers/redis.js"
import { started } from "./backends.js"

/** Of the slots of this tag: who has them, and who shall have them. */
interface Move {
  readonly slot: number
  readonly from: RedisServer
  readonly to: RedisServer
}

const idOf = (server: RedisServer) => Effect.map(command(server, "CLUSTER", "MYID"), String)

const begin = ({ from, slot, to }: Move) =>
  Effect.gen(function* () {
    yield* command(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", yield* idOf(from))
    yield* command(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", yield* idOf(to))
  })

const carry = ({ from, to }: Move, ...keys: ReadonlyArray<string>) =>
  command(from, "MIGRATE", to.host, to.port, "", 0, 1_000, "KEYS", ...keys)

const end = (move: Move) =>
  Effect.gen(function* () {
    const owner = yield* idOf(move.to)
    yield* command(move.to, "CLUSTER", "SETSLOT", move.slot, "NODE", owner)
    yield* command(move.from, "CLUSTER", "SETSLOT", move.slot, "NODE", owner)
  })

describeWithServer("a cluster that changes", ["redis-server"], () => {
  const cluster = started(startCluster())

  const settings = Effect.map(cluster, ({ nodes }) => ({
    cluster: { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`) }
  }))

  const startProcess = (prefix: string) =>
    Effect.flatMap(settings, (it) =>
      startCache(
        RedisCache.layer({ prefix, beta: 0, breaker: { openFor: "1 second" } }).pipe(
          Layer.provide(RedisClient.layer(it))
        )
      )
    )

  /** Which server has the slot of this key, to begin with. */
  const serverOf = (key: string): 0 | 1 | 2 => {
    const slot = slotOf(key)
    return slot <= 5_460 ? 0 : slot <= 10_922 ? 1 : 2
  }

  /** From the server that has the slot of this key to the next one. */
  const moveOf = (key: string) =>
    Effect.gen(function* () {
      const { nodes } = yield* cluster
      const slot = slotOf(key)
      const at = serverOf(key)
      return { slot, from: nodes[at]!, to: nodes[(at + 1) % 3]! } satisfies Move
    })

  it.scopedLive("a slot that another server has now is found there", () =>
    Effect.gen(function* () {
      const run = yield* startProcess("moved")
      const keys = ["{a}1", "{a}2", "{a}3"]
      yield* run(Effect.forEach(keys, (key) => Cache.set(key, 1)))
      const move = yield* moveOf("moved:{a}")
      yield* begin(move)
      yield* carry(move, ...keys.map((key) => `moved:${key}`))
      yield* end(move)
      const found = yield* run(
        Effect.forEach(keys, (key) => Cache.get(key), { concurrency: "unbounded" })
      )
      expect(found).toEqual(keys.map(() => Option.some(1)))
      yield* run(Cache.set("{a}1", 2))
      expect(yield* run(Cache.getOrCreate("{a}4", Effect.succeed(4)))).toBe(4)
      expect(yield* run(Cache.get("{a}4"))).toEqual(Option.some(4))
      yield* run(Cache.clear)
      expect(yield* run(Cache.get("{a}1"))).toEqual(Option.none())
      expect((yield* run(Cache.counters)).backendErrors).toBe(0)
    })
  )

  it.scopedLive("a server that stands still holds up its own keys alone", () =>
    Effect.gen(function* () {
      const run = yield* startProcess("still")
      const { nodes } = yield* cluster
      const tags = Array.from({ length: 40 }, (_, index) => `{still ${index}}`)
      const keys = [0, 1, 2].map((at) => tags.find((tag) => serverOf(`still:${tag}`) === at) ?? "")
      yield* run(Effect.forEach(keys, (key) => Cache.set(key, "stored")))
      yield* Effect.acquireRelease(nodes[0]!.pause, () => nodes[0]!.resume)
      // All of one tick.
      const found = yield* run(
        Effect.forEach(keys, (key) => Cache.getOrCreate(key, Effect.succeed("made")), {
          concurrency: "unbounded"
        })
      )
      expect(found).toEqual(["made", "stored", "stored"])
    })
  )

  // On a cluster what follows a set that may yet be executed waits for its deadline.
  it.scopedLive("an invalidation does not wait for a set that was refused", () =>
    Effect.gen(function* () {
      const { nodes } = yield* cluster
      const context = yield* Layer.build(
        RedisClient.layer({ ...(yield* settings), commandTimeout: "5 seconds" })
      )
      const backend = RedisBackend.make(Context.get(context, RedisClient))
      const allow = (bytes: number) =>
        Effect.forEach(nodes, (node) => command(node, "CONFIG", "SET", "maxmemory", bytes))
      yield* Effect.acquireRelease(allow(1), () => Effect.orDie(allow(0)))
      const { reason } = yield* Effect.flip(backend.set("full:k", "value", 60_000))
      expect(reason).toBe("Refused")
      const [took] = yield* Effect.timed(backend.invalidate("full:k"))
      expect(Duration.toMillis(took)).toBeLessThan(2_500)
    })
  )

  it.scopedLive("clear removes what is on its way from one server to another", () =>
    Effect.gen(function* () {
      const run = yield* startProcess("half")
      yield* run(Effect.forEach(["{b}1", "{b}2"], (key) => Cache.set(key, 1)))
      const move = yield* moveOf("half:{b}")
      yield* begin(move)
      yield* carry(move, "half:{b}1")
      yield* run(Cache.clear)
      expect((yield* run(Cache.health)).pendingInvalidations).toBe(0)
      for (const server of [move.from, move.to]) {
        expect(yield* command(server, "CLUSTER", "COUNTKEYSINSLOT", move.slot)).toBe(0)
      }
      yield* end(move)
    })
  )

  // One server has been looked at; a key is carried there from another that has yet to be.
  it.scopedLive("clear removes what is carried past it", () =>
    Effect.gen(function* () {
      const { nodes } = yield* cluster
      const context = yield* Layer.build(RedisClient.layer(yield* settings))
      const client = Context.get(context, RedisClient)
      const [link] = client.links
      const order = link
        .nodes()
        .map((node) => (node as { options?: { port?: number } }).options?.port)
      const [first, second] = order.map((port) => nodes.find((node) => node.port === port)!)
      const tag = Array.from({ length: 1_000 }, (_, nth) => `{${nth}}`).find(
        (tag) => nodes[serverOf(tag)] === second
      )
      const key = `past:${tag}`
      const move: Move = { slot: slotOf(key), from: second!, to: first! }
      yield* command(second!, "SET", key, "value")
      yield* begin(move)
      const runtime = yield* Effect.runtime<never>()
      let looks = 0
      /** Hands over, but carries the key to the first server once that has been looked at. */
      const carrying = (node: Sender): Sender =>
        ({
          callBuffer: node.callBuffer.bind(node),
          call: async (name: string, ...args: ReadonlyArray<never>) => {
            const reply = await node.call(name, ...args)
            const isValues = name === "SCAN" && args.some((arg) => String(arg).startsWith("past:"))
            if (isValues && ++looks === 1) await Runtime.runPromise(runtime)(carry(move, key))
            return reply
          }
        }) as Sender
      const backend = RedisBackend.make({
        ...client,
        links: [{ ...link, nodes: () => link.nodes().map(carrying) }]
      })
      yield* backend.clear("past:")
      expect(looks).toBeGreaterThan(0)
      for (const server of [move.from, move.to]) {
        expect(yield* command(server, "CLUSTER", "COUNTKEYSINSLOT", move.slot)).toBe(0)
      }
      yield* end(move)
    })
  )

  it.scopedLive("a server that comes back is used again, without a restart of ours", () =>
    Effect.gen(function* () {
      const { nodes } = yield* cluster
      const run = yield* startProcess("back")
      const keys = Array.from({ length: 30 }, (_, nth) => `k${nth}`)
      const lookups = run(
        Effect.forEach(keys, (key) => Cache.getOrCreate(key, Effect.succeed(1)), {
          concurrency: "unbounded"
        })
      )
      yield* lookups
      yield* nodes[1]!.kill
      expect(yield* lookups).toEqual(keys.map(() => 1))
      yield* nodes[1]!.restart
      // For as long as a master's view of the cluster is "down", and a little more.
      yield* Effect.gen(function* () {
        const before = yield* run(Cache.counters)
        yield* lookups
        const { hits } = yield* run(Cache.counters)
        return hits - before.hits
      }).pipe(
        Effect.repeat({ until: (hits) => hits === 30, schedule: Schedule.spaced("100 millis") }),
        Effect.timeout("20 seconds")
      )
    })
  )
})
