import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { FaultProxy } from "effect-larder/testing"
import { connect, encode, isSilent, listen, until } from "./sockets.js"

// What a network does, between two sockets: none of it needs a real server.

const startWorld = (protocol: "resp" | "bytes" = "bytes") =>
  Effect.gen(function* () {
    const listening = yield* listen
    const proxy = yield* FaultProxy.make({ ...listening, protocol })
    let count = 0
    const open = Effect.gen(function* () {
      const client = yield* connect(proxy.port)
      const server = yield* listening.accept(count++)
      return { client, server }
    })
    return { proxy, open, ...(yield* open) }
  })

const millisOf = (effect: Effect.Effect<unknown>) =>
  Effect.map(Effect.timed(effect), ([took]) => Duration.toMillis(took))

const isSo = (is: () => boolean) => until(Effect.sync(is), (it) => it)

const long = "0123456789".repeat(2_000)

describe("a wire of bytes", () => {
  it.scopedLive("passes whatever it is, either way", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* client.send("no RESP")
      yield* server.receive("no RESP")
      yield* server.send("nor this")
      yield* client.receive("nor this")
      expect(yield* proxy.commands).toEqual([])
    })
  )

  it.scopedLive("takes as long as its latency each way, and with jitter longer, in order", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      const roundTrip = Effect.gen(function* () {
        yield* client.send("there")
        yield* server.receive("there")
        yield* server.send("and back")
        yield* client.receive("and back")
      })
      yield* proxy.latency("40 millis", { jitter: "60 millis" })
      expect(yield* millisOf(roundTrip)).toBeGreaterThanOrEqual(79)
      const numbers = Array.from({ length: 20 }, (_, n) => `${n} `)
      for (const number of numbers) {
        yield* client.send(number)
        yield* Effect.sleep("1 millis")
      }
      yield* server.receive(`there${numbers.join("")}`)
    }).pipe(Effect.withRandom(Random.make("any")))
  )

  it.scopedLive("is as narrow as its bandwidth, in one direction", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* proxy.bandwidth(100_000, "toServer")
      yield* client.send(long)
      expect(yield* millisOf(server.receive(long))).toBeGreaterThanOrEqual(190)
      expect(server.chunks.length).toBeGreaterThan(3)
      yield* server.send(long)
      expect(yield* millisOf(client.receive(long))).toBeLessThan(190)
    })
  )

  it.scopedLive("is narrow each way, and what was under way then flows when it is widened", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* proxy.bandwidth(1_000)
      yield* client.send(long)
      yield* server.send(long)
      yield* isSo(() => client.chunks.length > 0 && server.chunks.length > 0)
      expect(client.chunks.join("").length).toBeLessThan(1_000)
      yield* proxy.bandwidth(Infinity)
      yield* client.receive(long)
      yield* server.receive(long)
    })
  )

  it.scopedLive("cuts what it carries into packets", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* proxy.slice(3)
      yield* client.send("abcdefgh")
      yield* server.receive("abcdefgh")
      expect(server.chunks[0]).toBe("abc")
      yield* server.send("abcdefgh")
      yield* client.receive("abcdefgh")
      expect(client.chunks[0]).toBe("abc")
    })
  )

  it.scopedLive("swallows what goes to the server alone", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* proxy.blackHole("toServer")
      yield* client.send("lost")
      yield* server.send("heard")
      yield* client.receive("heard")
      yield* proxy.heal
      yield* client.send("lost, too, for TCP has no gaps")
      expect(yield* isSilent(isSo(() => server.chunks.length > 0))).toBe(true)
    })
  )

  it.scopedLive("swallows what goes to the client alone", () =>
    Effect.gen(function* () {
      const { client, open, proxy, server } = yield* startWorld()
      yield* proxy.blackHole("toClient")
      yield* server.send("lost")
      yield* client.send("heard")
      yield* server.receive("heard")
      expect(client.chunks).toEqual([])
      yield* proxy.heal
      const fresh = yield* open
      yield* fresh.server.send("heard")
      yield* fresh.client.receive("heard")
      expect(client.chunks).toEqual([])
    })
  )

  it.scopedLive("ends towards the server, and the server goes on", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* client.send("before")
      yield* server.receive("before")
      yield* proxy.halfClose("toServer")
      yield* isSo(server.hasEnded)
      yield* client.send("in vain")
      yield* server.send("after")
      yield* client.receive("after")
      expect(client.hasEnded()).toBe(false)
      expect(server.chunks).toEqual(["before"])
    })
  )

  it.scopedLive("ends towards the server behind what is under way", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* proxy.latency("50 millis")
      yield* client.send("before")
      yield* Effect.sleep("10 millis")
      yield* proxy.halfClose("toServer")
      yield* isSo(server.hasEnded)
      expect(server.chunks).toEqual(["before"])
    })
  )

  it.scopedLive("ends towards the client, behind what is under way, and the client goes on", () =>
    Effect.gen(function* () {
      const { client, proxy, server } = yield* startWorld()
      yield* proxy.slice(1)
      yield* server.send("before")
      yield* isSo(() => client.chunks.length > 0)
      yield* proxy.halfClose("toClient")
      yield* isSo(client.hasEnded)
      expect(client.chunks.join("")).toBe("before")
      yield* server.send("in vain")
      yield* client.send("after")
      yield* server.receive("after")
      expect(server.hasEnded()).toBe(false)
    })
  )

  it.scopedLive("is reset, and the next is not", () =>
    Effect.gen(function* () {
      const { client, open, proxy } = yield* startWorld()
      yield* proxy.reset
      yield* isSo(() => client.broke() !== undefined)
      expect(client.broke()).toBe("ECONNRESET")
      const { client: next, server } = yield* open
      yield* next.send("heard")
      yield* server.receive("heard")
    })
  )

  it.scopedLive("counts the connections that clients hold", () =>
    Effect.gen(function* () {
      const { client, open, proxy } = yield* startWorld()
      yield* open
      expect(yield* proxy.connections).toBe(2)
      client.socket.destroy()
      yield* until(proxy.connections, (count) => count === 1)
      yield* proxy.reset
      expect(yield* proxy.connections).toBe(0)
    })
  )

  it.scopedLive("is told when a limit is none", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startWorld()
      for (const limit of [proxy.bandwidth(0), proxy.slice(-1), proxy.slice(NaN)]) {
        const cause = yield* Effect.flip(Effect.sandbox(limit))
        expect(Cause.pretty(cause)).toContain("allowed: bytes, above zero")
      }
    })
  )
})

describe("a wire of commands", () => {
  const [get, set] = [encode(["GET", "key"]), encode(["SET", "key", "value"])]

  it.scopedLive(
    "tells commands apart, however narrow it is and whatever packets they come in",
    () =>
      Effect.gen(function* () {
        const { client, proxy, server } = yield* startWorld("resp")
        yield* proxy.bandwidth(10_000)
        yield* proxy.slice(1)
        yield* client.send(set + get)
        yield* server.receive(set + get)
        expect(yield* proxy.commands).toEqual([
          ["set", "key", "value"],
          ["get", "key"]
        ])
        yield* server.send("+OK\r\n$5\r\nvalue\r\n")
        yield* client.receive("+OK\r\n$5\r\nvalue\r\n")
      })
  )

  it.scopedLive("is reset by what is no command, and other connections are not", () =>
    Effect.gen(function* () {
      const { client, open } = yield* startWorld("resp")
      const other = yield* open
      yield* client.send("GET / HTTP/1.1\r\n\r\n")
      yield* isSo(() => client.broke() === "ECONNRESET")
      yield* other.client.send(get)
      yield* other.server.receive(get)
    })
  )

  it.scopedLive("is healed of everything at once, and waits for nobody", () =>
    Effect.gen(function* () {
      const { open, proxy, server, client } = yield* startWorld("resp")
      yield* proxy.hold(([name]) => name === "set")
      yield* client.send(set + get)
      yield* proxy.next()
      yield* server.receive(get)
      yield* Effect.all([
        proxy.losePushes,
        proxy.latency("1 minute"),
        proxy.bandwidth(1),
        proxy.slice(1),
        proxy.blackHole(),
        proxy.refuse
      ])
      yield* proxy.heal
      yield* server.receive(get + set)
      const fresh = yield* open
      yield* fresh.client.send(set)
      yield* fresh.server.receive(set)
      const push = ">3\r\n+message\r\n+channel\r\n+text\r\n"
      yield* fresh.server.send(push)
      yield* fresh.client.receive(push)
      expect(fresh.client.chunks).toEqual([push])
    })
  )
})

describe("the proxy as a layer", () => {
  it.scopedLive("lasts as long as the layer", () =>
    Effect.gen(function* () {
      const listening = yield* listen
      const url = yield* Effect.provide(
        Effect.gen(function* () {
          const proxy = yield* FaultProxy
          const client = yield* connect(proxy.port)
          yield* client.send(encode(["PING"]))
          yield* (yield* listening.accept(0)).receive(encode(["PING"]))
          return proxy.url
        }),
        FaultProxy.layer(listening)
      )
      const client = yield* connect(Number(new URL(url).port))
      yield* isSo(() => client.broke() === "ECONNREFUSED")
    })
  )
})
