import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"
import { FaultProxy } from "effect-larder/testing"
import { Redis, type RedisOptions } from "ioredis"
import * as Net from "node:net"
import { makeFramer, type Words, wordsOf } from "../../src/testing/faults/resp.js"
import { type RedisServer, startRedis } from "../servers/redis.js"
import { encode, isSilent, until } from "./sockets.js"

// A server of the run's own, also where the environment names one: keys here have plain names.
const startOwnRedis = startRedis({ args: ["--loglevel", "warning"] })

const isMissing = await startOwnRedis.pipe(
  Effect.as(false),
  Effect.catchTag("ServerMissing", () => Effect.succeed(process.env["CI"] !== "true")),
  Effect.scoped,
  Effect.runPromise
)

interface World {
  readonly server: RedisServer
  readonly proxy: FaultProxy.Service
  /** Past the proxy. */
  readonly direct: Redis
  /** Through the proxy. */
  readonly client: Redis
}

const connect = (
  url: string,
  options: RedisOptions = {}
): Effect.Effect<Redis, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const client = new Redis(url, { retryStrategy: null, enableReadyCheck: false, ...options })
      client.on("error", () => {})
      return client
    }),
    (client) => Effect.sync(() => client.disconnect())
  )

const startWorld = (options: RedisOptions = {}): Effect.Effect<World, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const server = yield* startOwnRedis
    const proxy = yield* FaultProxy.make(server)
    const direct = yield* connect(server.url)
    const client = yield* connect(proxy.url, options)
    yield* ask(() => client.ping())
    yield* proxy.forgetCommands
    return { server, proxy, direct, client }
  })

const ask = <A>(command: () => Promise<A>) => Effect.tryPromise({ try: command, catch: String })

/** A client that knows nothing but RESP: it sees the wire. */
const dial = (port: number) =>
  Effect.gen(function* () {
    const read = makeFramer()
    const frames = yield* Queue.unbounded<string>()
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => Net.connect({ port, host: "127.0.0.1" })),
      (socket) => Effect.sync(() => socket.destroy())
    )
    socket.on("error", () => {})
    socket.on("data", (chunk) => {
      for (const frame of read(chunk)) Queue.unsafeOffer(frames, wordsOf(frame).join(" "))
    })
    socket.on("close", () => Queue.unsafeOffer(frames, "closed"))
    return {
      send: (...commands: ReadonlyArray<string>) =>
        Effect.sync(() => {
          for (const command of commands) socket.write(encode(command.split(" ")))
        }),
      hangUp: Effect.sync(() => socket.destroy()),
      /** The next frame, as its words; `closed` after the last. */
      read: Queue.take(frames),
      readMany: (count: number) => Effect.replicateEffect(Queue.take(frames), count)
    }
  })

const isRunning = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => isSilent(Fiber.await(fiber))

const named =
  (...start: ReadonlyArray<string>) =>
  (command: Words) =>
    start.every((word, n) => word === command[n])

const countClients = (direct: Redis) =>
  Effect.map(
    ask(() => direct.client("LIST")),
    (list) => String(list).trim().split("\n").length
  )

const untilSent = (proxy: FaultProxy.Service, matches: (command: Words) => boolean) =>
  until(proxy.commands, (commands) => commands.some(matches))

describe.skipIf(isMissing)("commands through the proxy", () => {
  it.scopedLive("pass unless they are held, and are remembered in order", () =>
    Effect.gen(function* () {
      const { client, direct, proxy } = yield* startWorld()
      yield* ask(() => client.set("key", "ünï\r\n"))
      expect(yield* ask(() => client.get("key"))).toBe("ünï\r\n")
      expect(yield* ask(() => direct.get("key"))).toBe("ünï\r\n")
      expect(yield* proxy.commands).toEqual([
        ["set", "key", "ünï\r\n"],
        ["get", "key"]
      ])
      yield* proxy.forgetCommands
      expect(yield* proxy.commands).toEqual([])
    })
  )

  it.scopedLive("pass in bulk, and bytes that are no text stay as they are", () =>
    Effect.gen(function* () {
      const { client } = yield* startWorld()
      const value = Buffer.alloc(1_000_000, Buffer.from([0, 255, 13, 10, 36]))
      yield* ask(() => client.set("key", value))
      const read = yield* ask(() => client.getBuffer("key"))
      expect(read?.equals(value)).toBe(true)
      const numbers = Array.from({ length: 5_000 }, (_, n) => `${n}`)
      const echoed = yield* ask(() => Promise.all(numbers.map((n) => client.echo(n))))
      expect(echoed).toEqual(numbers)
    })
  )

  it.scopedLive(
    "a held command is executed when the test says so, and answered when the test says so",
    () =>
      Effect.gen(function* () {
        const { client, direct, proxy } = yield* startWorld()
        yield* proxy.hold(named("set"))
        const caller = yield* Effect.fork(ask(() => client.set("key", "value")))
        const held = yield* proxy.next()
        expect(held.command).toEqual(["set", "key", "value"])
        expect(yield* ask(() => direct.get("key"))).toBe(null)
        yield* held.execute
        expect(yield* ask(() => direct.get("key"))).toBe("value")
        expect(yield* isRunning(caller)).toBe(true)
        yield* held.reply
        expect(yield* Fiber.join(caller)).toBe("OK")
      })
  )

  it.scopedLive("a held command is executed once, however often it is told", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      yield* proxy.hold(named("incr"))
      const caller = yield* Effect.fork(ask(() => client.incr("key")))
      const held = yield* proxy.next()
      yield* Effect.all([held.execute, held.pass, held.execute], { concurrency: 3 })
      yield* held.pass
      yield* proxy.release
      expect(yield* Fiber.join(caller)).toBe(1)
      expect(yield* ask(() => client.incr("key"))).toBe(2)
    })
  )

  it.scopedLive("a reply before the execution is a fault of the test", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      yield* proxy.hold(named("get"))
      yield* Effect.fork(ask(() => client.get("key")))
      const held = yield* proxy.next()
      expect(Exit.isFailure(yield* Effect.exit(held.reply))).toBe(true)
    })
  )

  it.scopedLive(
    "each held command is given once, in order of arrival, to whoever asks for it",
    () =>
      Effect.gen(function* () {
        const { client, proxy } = yield* startWorld()
        const other = yield* connect(proxy.url)
        const early = yield* Effect.fork(proxy.next(named("get", "b")))
        yield* proxy.hold(named("get"))
        yield* Effect.fork(ask(() => client.get("a")))
        yield* untilSent(proxy, named("get", "a"))
        yield* Effect.fork(ask(() => other.mget("c")))
        yield* Effect.fork(ask(() => other.get("b")))
        expect((yield* Fiber.join(early)).command).toEqual(["get", "b"])
        expect((yield* proxy.next()).command).toEqual(["get", "a"])
        expect(yield* isSilent(proxy.next())).toBe(true)
      })
  )

  it.scopedLive("later commands pass a held one at the server, and wait for its reply", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("set", "a"))
      yield* wire.send("SET a 1", "SET b 2", "GET b")
      const held = yield* proxy.next()
      expect(yield* isSilent(wire.read)).toBe(true)
      expect(yield* ask(() => direct.mget("a", "b"))).toEqual([null, "2"])
      yield* held.pass
      expect(yield* wire.readMany(3)).toEqual(["OK", "OK", "2"])
    })
  )

  it.scopedLive(
    "replies keep the order of the commands, whatever order those are executed in",
    () =>
      Effect.gen(function* () {
        const { proxy } = yield* startWorld()
        const wire = yield* dial(proxy.port)
        yield* proxy.hold(([name, number]) => name === "echo" && Number(number) % 3 > 0)
        const numbers = Array.from({ length: 60 }, (_, n) => `${n}`)
        yield* wire.send(...numbers.map((n) => `ECHO ${n}`))
        const held = yield* Effect.replicateEffect(proxy.next(), 40)
        const order = FastCheck.shuffledSubarray(held, { minLength: held.length })
        for (const { pass } of FastCheck.sample(order, 1)[0]!) yield* pass
        expect(yield* wire.readMany(60)).toEqual(numbers)
      })
  )

  it.scopedLive("other connections do not wait for a held command", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      const other = yield* connect(proxy.url)
      yield* proxy.hold(named("get", "a"))
      const caller = yield* Effect.fork(ask(() => client.get("a")))
      yield* proxy.next()
      expect(yield* ask(() => other.get("b"))).toBe(null)
      expect(yield* isRunning(caller)).toBe(true)
    })
  )

  it.scopedLive("a transaction keeps its order around a held command", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("rpush", "a", "1"))
      yield* wire.send("WATCH w", "MULTI", "RPUSH a 1", "RPUSH a 2", "EXEC", "LRANGE a 0 -1")
      const held = yield* proxy.next()
      expect(yield* wire.readMany(2)).toEqual(["OK", "OK"])
      expect(yield* isSilent(wire.read)).toBe(true)
      expect(yield* ask(() => direct.exists("a"))).toBe(0)
      yield* held.pass
      expect(yield* wire.readMany(4)).toEqual(["QUEUED", "QUEUED", "1 2", "1 2"])
    })
  )

  it.scopedLive("a transaction can be held just before it ends, and overtaken from elsewhere", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("exec"))
      yield* wire.send("WATCH a", "MULTI", "SET a mine", "EXEC")
      const held = yield* proxy.next()
      expect(yield* wire.readMany(3)).toEqual(["OK", "OK", "QUEUED"])
      yield* ask(() => direct.set("a", "theirs"))
      yield* held.pass
      expect(yield* wire.read).toBe("")
      expect(yield* ask(() => direct.get("a"))).toBe("theirs")
    })
  )

  it.scopedLive("what changes the connection waits for the held commands before it", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("set", "key", "0"))
      yield* wire.send("SET key 0", "SELECT 1", "SET key 1")
      yield* proxy.next()
      expect(yield* isSilent(wire.read)).toBe(true)
      yield* proxy.release
      expect(yield* wire.readMany(3)).toEqual(["OK", "OK", "OK"])
      expect(yield* ask(() => direct.get("key"))).toBe("0")
    })
  )

  it.scopedLive("release executes and answers what is held, and holds nothing more", () =>
    Effect.gen(function* () {
      const { client, direct, proxy, server } = yield* startWorld()
      yield* proxy.hold(named("set"))
      const callers = yield* Effect.fork(
        ask(() => Promise.all([client.set("a", "1"), client.set("b", "2"), client.set("c", "3")]))
      )
      const first = yield* proxy.next()
      yield* proxy.next(named("set", "c"))
      yield* first.execute
      yield* server.pause
      const release = yield* Effect.fork(proxy.release)
      expect(yield* isRunning(release)).toBe(true)
      yield* server.resume
      yield* Fiber.join(release)
      expect(yield* ask(() => direct.mget("a", "b", "c"))).toEqual(["1", "2", "3"])
      expect(yield* Fiber.join(callers)).toEqual(["OK", "OK", "OK"])
      expect(yield* ask(() => client.set("d", "4"))).toBe("OK")
      expect(yield* isSilent(proxy.next())).toBe(true)
    })
  )

  it.scopedLive(
    "a lost reply makes the client time out, and the server has executed it all the same",
    () =>
      Effect.gen(function* () {
        const { client, direct, proxy } = yield* startWorld({ commandTimeout: 250 })
        yield* proxy.hold(named("set"))
        const caller = yield* Effect.fork(ask(() => client.set("key", "value")))
        const held = yield* proxy.next()
        yield* held.execute
        yield* held.lose
        yield* held.reply
        yield* proxy.release
        expect(yield* Effect.flip(Fiber.join(caller))).toContain("timed out")
        expect(yield* ask(() => direct.get("key"))).toBe("value")
      })
  )

  it.scopedLive("after a lost reply the connection is silent until that reply comes late", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld({ commandTimeout: 250 })
      yield* proxy.hold(named("get", "a"))
      const caller = yield* Effect.fork(ask(() => client.get("a")))
      const held = yield* proxy.next()
      yield* held.lose
      yield* Effect.flip(Fiber.join(caller))
      yield* Effect.flip(ask(() => client.set("b", "mine")))
      yield* held.late
      expect(yield* ask(() => client.get("b"))).toBe("mine")
    })
  )

  it.scopedLive("a lost command can be executed after its client has given up", () =>
    Effect.gen(function* () {
      const { client, direct, proxy } = yield* startWorld({ commandTimeout: 250 })
      yield* proxy.hold(named("set"))
      const caller = yield* Effect.fork(ask(() => client.set("key", "late")))
      const held = yield* proxy.next()
      yield* held.lose
      yield* Effect.flip(Fiber.join(caller))
      yield* proxy.release
      expect(yield* ask(() => direct.get("key"))).toBe(null)
      yield* held.execute
      expect(yield* ask(() => direct.get("key"))).toBe("late")
    })
  )

  it.scopedLive("a reset ends the connection of a held command, which can still be executed", () =>
    Effect.gen(function* () {
      const { client, direct, proxy } = yield* startWorld({ maxRetriesPerRequest: 0 })
      yield* proxy.hold(named("set"))
      const caller = yield* Effect.fork(ask(() => client.set("key", "value")))
      const held = yield* proxy.next()
      yield* held.reset
      yield* Effect.flip(Fiber.join(caller))
      expect(yield* ask(() => direct.get("key"))).toBe(null)
      yield* held.execute
      expect(yield* ask(() => direct.get("key"))).toBe("value")
    })
  )

  it.scopedLive("a client that hangs up takes nothing back", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("set", "a"))
      yield* wire.send("SET a 1", "SELECT 1", "SET b 2")
      const held = yield* proxy.next()
      yield* wire.hangUp
      yield* Effect.sleep(20)
      yield* held.execute
      expect(yield* ask(() => direct.get("a"))).toBe("1")
      yield* ask(() => direct.select(1))
      yield* until(
        ask(() => direct.get("b")),
        (value) => value === "2"
      )
    })
  )

  it.scopedLive("release drops a held command whose client has gone", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("set"))
      yield* wire.send("SET a 1", "SET b 2")
      const [dropped, lost] = [yield* proxy.next(), yield* proxy.next()]
      yield* lost.lose
      yield* dropped.reset
      yield* proxy.release
      expect(Exit.isFailure(yield* Effect.exit(dropped.execute))).toBe(true)
      yield* lost.execute
      expect(yield* ask(() => direct.mget("a", "b"))).toEqual([null, "2"])
    })
  )
})

describe.skipIf(isMissing)("pushes through the proxy", () => {
  const subscribe = (client: Redis, ...channels: ReadonlyArray<string>) =>
    Effect.gen(function* () {
      const messages = yield* Queue.unbounded<string>()
      client.on("message", (channel, text) => Queue.unsafeOffer(messages, `${channel} ${text}`))
      yield* ask(() => client.subscribe(...channels))
      return messages
    })

  it.scopedLive("pushes can be lost while commands pass", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      const subscriber = yield* connect(proxy.url)
      const messages = yield* subscribe(subscriber, "news")
      yield* proxy.losePushes
      expect(yield* ask(() => client.publish("news", "dropped"))).toBe(1)
      expect(yield* ask(() => subscriber.ping())).toEqual(["pong", ""])
      yield* proxy.deliverPushes
      yield* ask(() => client.publish("news", "delivered"))
      expect(yield* messages).toBe("news delivered")
    })
  )

  it.scopedLive("pushes can be held, and dropped or delivered one by one", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      const messages = yield* subscribe(yield* connect(proxy.url), "news")
      yield* proxy.holdPushes
      for (const text of ["1", "2", "3", "4"]) yield* ask(() => client.publish("news", text))
      const third = yield* proxy.nextPush(([, , text]) => text === "3")
      const first = yield* proxy.nextPush()
      expect(first.push).toEqual(["message", "news", "1"])
      expect(yield* isSilent(messages)).toBe(true)
      yield* third.deliver
      expect(yield* messages).toBe("news 3")
      yield* first.lose
      yield* proxy.deliverPushes
      expect([yield* messages, yield* messages]).toEqual(["news 2", "news 4"])
      yield* Effect.all([first.deliver, third.deliver])
      expect(yield* isSilent(messages)).toBe(true)
    })
  )

  it.scopedLive("a pattern's messages and a shard channel's are pushes too", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* wire.send("PSUBSCRIBE n*", "SSUBSCRIBE shard")
      expect(yield* wire.readMany(2)).toEqual(["psubscribe n* 1", "ssubscribe shard 1"])
      yield* proxy.holdPushes
      yield* ask(() => direct.publish("news", "x"))
      yield* ask(() => direct.spublish("shard", "y"))
      expect((yield* proxy.nextPush()).push).toEqual(["pmessage", "n*", "news", "x"])
      expect((yield* proxy.nextPush()).push).toEqual(["smessage", "shard", "y"])
      yield* proxy.losePushes
      yield* proxy.deliverPushes
      yield* wire.send("PING")
      expect(yield* wire.read).toBe("pong ")
    })
  )

  it.scopedLive("in RESP3 commands are answered on a connection whose pushes are held", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* wire.send("HELLO 3", "CLIENT TRACKING on", "SUBSCRIBE news other")
      expect(yield* wire.readMany(4)).toEqual([
        expect.stringContaining("proto 3"),
        "OK",
        "subscribe news 1",
        "subscribe other 2"
      ])
      yield* proxy.holdPushes
      yield* wire.send("GET a", "PUBLISH news x", "SET a 1", "GET a")
      expect(yield* wire.readMany(4)).toEqual(["", "1", "OK", "1"])
      const invalidation = yield* proxy.nextPush(named("invalidate"))
      yield* invalidation.deliver
      expect(yield* wire.read).toBe("invalidate a")
      yield* proxy.deliverPushes
      expect(yield* wire.read).toBe("message news x")
    })
  )

  it.scopedLive("in RESP3 pushes overtake a held reply, but not a lost one", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* wire.send("HELLO 3", "SUBSCRIBE news")
      yield* wire.readMany(2)
      yield* proxy.hold(named("ping"))
      yield* wire.send("PING")
      const held = yield* proxy.next()
      yield* ask(() => direct.publish("news", "1"))
      expect(yield* wire.read).toBe("message news 1")
      yield* held.lose
      yield* ask(() => direct.publish("news", "2"))
      expect(yield* isSilent(wire.read)).toBe(true)
      yield* held.late
      expect(yield* wire.readMany(2)).toEqual(["PONG", "message news 2"])
    })
  )

  it.scopedLive("a message does not come before the answer to its subscription", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("subscribe"))
      yield* wire.send("SUBSCRIBE a b")
      const held = yield* proxy.next()
      yield* held.execute
      expect(yield* ask(() => direct.publish("b", "x"))).toBe(1)
      expect(yield* isSilent(wire.read)).toBe(true)
      yield* held.reply
      expect(yield* wire.readMany(3)).toEqual(["subscribe a 1", "subscribe b 2", "message b x"])
    })
  )

  it.scopedLive("leaving all channels is answered once for each of them, and in step", () =>
    Effect.gen(function* () {
      const { proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* wire.send("SUBSCRIBE a b c", "PSUBSCRIBE p*")
      yield* wire.readMany(4)
      yield* proxy.hold(named("ping"))
      yield* wire.send("UNSUBSCRIBE", "PING")
      const held = yield* proxy.next()
      yield* held.execute
      const left = yield* wire.readMany(3)
      expect(left.map((words) => words.split(" ")[0])).toEqual(Array(3).fill("unsubscribe"))
      expect(yield* isSilent(wire.read)).toBe(true)
      yield* held.reply
      expect(yield* wire.read).toBe("pong ")
      yield* wire.send("UNSUBSCRIBE", "PUNSUBSCRIBE", "GET a")
      expect(yield* wire.readMany(3)).toEqual(["unsubscribe  1", "punsubscribe p* 0", ""])
    })
  )
})

describe.skipIf(isMissing)("the wire itself", () => {
  it.scopedLive("a latency is added each way, and keeps the order", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      const timed = (command: () => Promise<unknown>) => Effect.timed(ask(command))
      yield* proxy.latency(150)
      const echoes = () => Promise.all([client.echo("a"), client.echo("b"), client.echo("c")])
      const [slow, answers] = yield* timed(echoes)
      expect(answers).toEqual(["a", "b", "c"])
      expect(Duration.toMillis(slow)).toBeGreaterThanOrEqual(298)
      const first = yield* Effect.fork(ask(() => client.echo("first")))
      yield* untilSent(proxy, named("echo", "first"))
      // Its answer is under way by then.
      yield* Effect.sleep(50)
      yield* proxy.latency(0)
      expect(yield* ask(() => client.echo("second"))).toBe("second")
      expect(yield* Fiber.join(first)).toBe("first")
      const [fast] = yield* timed(() => client.ping())
      expect(Duration.toMillis(fast)).toBeLessThan(150)
    })
  )

  it.scopedLive("a black hole answers nothing, and after healing new connections work", () =>
    Effect.gen(function* () {
      const { client, direct, proxy } = yield* startWorld({ commandTimeout: 250 })
      const early = yield* dial(proxy.port)
      yield* proxy.blackHole()
      const [late, later] = [yield* dial(proxy.port), yield* dial(proxy.port)]
      yield* Effect.all([early.send("SET early 1"), late.send("SET late 1")])
      yield* Effect.flip(ask(() => client.set("client", "1")))
      yield* proxy.heal
      const wires = [early, late, later]
      yield* Effect.forEach(wires, (wire) => wire.send("SET wire 2"))
      expect(yield* isSilent(Effect.raceAll(wires.map((wire) => wire.read)))).toBe(true)
      expect(yield* ask(() => direct.exists("client", "early", "late", "wire"))).toBe(0)
      const fresh = yield* connect(proxy.url)
      expect(yield* ask(() => fresh.ping())).toBe("PONG")
      expect(yield* proxy.commands).toContainEqual(["set", "early", "1"])
    })
  )

  it.scopedLive("a connection that slept through a black hole goes on", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      yield* proxy.blackHole()
      yield* Effect.sleep(20)
      yield* proxy.heal
      expect(yield* ask(() => client.ping())).toBe("PONG")
    })
  )

  it.scopedLive("a black hole swallows the answers that are under way, and the server's end", () =>
    Effect.gen(function* () {
      const { proxy, server } = yield* startWorld()
      const [asking, idle] = [yield* dial(proxy.port), yield* dial(proxy.port)]
      yield* proxy.hold(named("set"))
      yield* asking.send("SET key value")
      const held = yield* proxy.next()
      yield* proxy.blackHole()
      yield* held.pass
      yield* server.kill
      expect(yield* isSilent(Effect.race(asking.read, idle.read))).toBe(true)
      yield* proxy.reset
      expect([yield* asking.read, yield* idle.read]).toEqual(["closed", "closed"])
    })
  )

  it.scopedLive("after a reset, clients connect again", () =>
    Effect.gen(function* () {
      const { client, direct, proxy } = yield* startWorld({
        retryStrategy: () => 1,
        maxRetriesPerRequest: 0,
        autoResendUnfulfilledCommands: false
      })
      yield* proxy.hold(named("set"))
      const caller = yield* Effect.fork(ask(() => client.set("key", "value")))
      const held = yield* proxy.next()
      yield* held.execute
      yield* proxy.reset
      yield* Effect.flip(Fiber.join(caller))
      expect(yield* ask(() => client.get("key"))).toBe("value")
      expect(yield* ask(() => direct.get("key"))).toBe("value")
    })
  )

  it.scopedLive("a reset takes with it what the latency had under way", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("get"))
      yield* wire.send("GET held")
      yield* proxy.next()
      yield* proxy.latency(100)
      yield* wire.send("SET key value")
      yield* Effect.sleep(50)
      yield* proxy.reset
      yield* Effect.sleep(100)
      expect(yield* wire.read).toBe("closed")
      expect(yield* ask(() => direct.get("key"))).toBe(null)
    })
  )

  it.scopedLive("connections are refused until the wire is healed, on the same port", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      yield* proxy.refuse
      expect(yield* (yield* dial(proxy.port)).read).toBe("closed")
      expect(yield* ask(() => client.ping())).toBe("PONG")
      yield* proxy.heal
      yield* proxy.heal
      const wire = yield* dial(proxy.port)
      yield* wire.send("PING")
      expect(yield* wire.read).toBe("PONG")
    })
  )

  it.scopedLive("a server that dies hangs up on clients, and what awaits its answer says so", () =>
    Effect.gen(function* () {
      const { proxy, server } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("set"))
      yield* wire.send("SET key value")
      const held = yield* proxy.next()
      yield* server.pause
      const executing = yield* Effect.fork(held.execute)
      expect(yield* isRunning(executing)).toBe(true)
      yield* server.kill
      expect(Exit.isFailure(yield* Fiber.await(executing))).toBe(true)
      expect(yield* wire.read).toBe("closed")
      yield* proxy.release
      yield* server.restart
      const fresh = yield* dial(proxy.port)
      yield* fresh.send("PING")
      expect(yield* fresh.read).toBe("PONG")
    })
  )

  it.scopedLive("the server is rid of a client that hangs up, or is reset", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wires = yield* Effect.replicateEffect(dial(proxy.port), 3)
      const clients = countClients(direct)
      yield* until(clients, (count) => count === 5)
      yield* wires[0]!.send("BLPOP nothing 0")
      yield* untilSent(proxy, named("blpop"))
      yield* wires[0]!.hangUp
      yield* until(clients, (count) => count === 4)
      yield* proxy.reset
      yield* until(clients, (count) => count === 1)
    })
  )

  it.scopedLive("when its scope closes, so do its connections and its port", () =>
    Effect.gen(function* () {
      const server = yield* startOwnRedis
      const life = yield* Scope.make()
      const proxy = yield* Scope.extend(FaultProxy.make(server), life)
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("get"))
      yield* wire.send("PING", "GET held")
      yield* proxy.next()
      expect(yield* wire.read).toBe("PONG")
      yield* proxy.latency(10_000)
      yield* wire.send("PING")
      yield* Scope.close(life, Exit.void)
      const direct = yield* connect(server.url)
      yield* until(countClients(direct), (count) => count === 1)
      expect(yield* wire.read).toBe("closed")
      expect(yield* (yield* dial(proxy.port)).read).toBe("closed")
    })
  )
})
