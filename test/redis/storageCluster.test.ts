/** Lasting entries on a cluster whose slots go from one server to another. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { Storage } from "effect-larder"
import { RedisClient } from "effect-larder/redis"
import { slotOf } from "../../src/policy/slot.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { command, type RedisServer, startCluster } from "../servers/redis.js"
import { started } from "./backends.js"
import { startStorageOn } from "./storages.js"

const idOf = (server: RedisServer) => Effect.map(command(server, "CLUSTER", "MYID"), String)

const slotsFrom = [0, 5461, 10923]

describeWithServer("a storage in a cluster that changes", ["redis-server"], () => {
  const cluster = started(startCluster())

  for (const isScriptable of [true, false]) {
    const title = isScriptable ? "by script" : "without scripts"
    const tag = `{moving ${title}}`
    const slot = slotOf(tag)

    it.scopedLive(`sets several of a slot that has another server by now, ${title}`, () =>
      Effect.gen(function* () {
        const { nodes } = yield* cluster
        const holder = slotsFrom.findLastIndex((first) => first <= slot)
        const from = nodes[holder]!
        const to = nodes[(holder + 1) % nodes.length]!
        const client = Context.get(
          yield* Layer.build(
            RedisClient.layer({ cluster: { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`) } })
          ),
          RedisClient
        )
        client.links[0].isScriptable = isScriptable
        const run = yield* startStorageOn(client)
        const pairs = ["a", "b", "c"].map((key) => [`${tag}${key}`, key] as const)
        yield* run(Storage.setMany(pairs))
        expect(yield* command(from, "CLUSTER", "COUNTKEYSINSLOT", slot)).toBe(3)
        // Carried over whole, while nobody asks.
        yield* command(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", yield* idOf(from))
        yield* command(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", yield* idOf(to))
        const keys = pairs.map(([key]) => `larder-store:${key}`)
        yield* command(from, "MIGRATE", to.host, to.port, "", 0, 1_000, "KEYS", ...keys)
        const owner = yield* idOf(to)
        yield* command(to, "CLUSTER", "SETSLOT", slot, "NODE", owner)
        yield* command(from, "CLUSTER", "SETSLOT", slot, "NODE", owner)
        yield* run(Storage.setMany(pairs.map(([key]) => [key, "new"] as const)))
        expect(client.links[0].isScriptable).toBe(isScriptable)
        expect(yield* command(to, "CLUSTER", "COUNTKEYSINSLOT", slot)).toBe(3)
        expect(yield* run(Storage.getMany(pairs.map(([key]) => key)))).toEqual(
          pairs.map(() => Option.some("new"))
        )
        expect(yield* run(Storage.keys(`${tag}*`))).toEqual(pairs.map(([key]) => key))
        expect(yield* run(Storage.deleteMany(pairs.map(([key]) => key)))).toBe(3)
      })
    )
  }
})
