import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { Redis, type RedisOptions } from "ioredis"
import * as Net from "node:net"
import { type Proxy, startProxy } from "./proxy.js"
import { type RedisServer, startRedis } from "./redis.js"
import {
  commandOf,
  makeFramer,
  makePlaceKeeper,
  makeReplyReader,
  type Words,
  wordsOf
} from "./resp.js"

const encode = (words: Words): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`

/** Cuts bytes at the given places, and reads frames out of the pieces. */
const framesOf = (bytes: Buffer, cuts: ReadonlyArray<number>) => {
  const read = makeFramer()
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...places].flatMap((from, n) => read(bytes.subarray(from, places[n])))
}

const text = FastCheck.string({ unit: "binary", maxLength: 12 })
const line = FastCheck.stringMatching(/^[^\r\n]{0,9}$/)
const cuts = FastCheck.array(FastCheck.nat(2_000), { maxLength: 40 })

const { frame: anyFrame } = FastCheck.letrec<{ frame: string; element: string }>((tie) => {
  const listOf = (types: ReadonlyArray<string>, perEntry: number) =>
    FastCheck.tuple(
      FastCheck.constantFrom(...types),
      FastCheck.array(tie("element"), { maxLength: 4 }).map((all) =>
        all.slice(0, all.length - (all.length % perEntry))
      )
    ).map(([type, all]) => `${type}${all.length / perEntry}\r\n${all.join("")}`)
  const element = FastCheck.oneof(
    { maxDepth: 4 },
    FastCheck.tuple(FastCheck.constantFrom(..."+-:,(_#"), line).map(
      ([type, rest]) => `${type}${rest}\r\n`
    ),
    FastCheck.tuple(FastCheck.constantFrom(..."$!="), text).map(
      ([type, rest]) => `${type}${Buffer.byteLength(rest)}\r\n${rest}\r\n`
    ),
    FastCheck.constantFrom("$-1\r\n", "*-1\r\n"),
    listOf(["*", "~", ">"], 1),
    listOf(["%"], 2)
  )
  const attribute = listOf(["|"], 2)
  return {
    element,
    frame: FastCheck.oneof(
      { weight: 9, arbitrary: element },
      { weight: 1, arbitrary: FastCheck.tuple(attribute, element).map((both) => both.join("")) }
    )
  }
})

describe("the framing of RESP", () => {
  it("gives the frames that were sent, in whatever chunks they come", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(anyFrame, { maxLength: 8 }), cuts, (frames, cuts) => {
        const read = framesOf(Buffer.from(frames.join("")), cuts)
        expect(read.map(({ bytes }) => bytes.toString())).toEqual(frames)
      }),
      { numRuns: 2_000 }
    )
  })

  it("gives the words of commands as the client wrote them", () => {
    const command = FastCheck.array(text, { minLength: 1, maxLength: 5 })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(command, { maxLength: 5 }), cuts, (commands, cuts) => {
        const read = framesOf(Buffer.from(commands.map(encode).join("")), cuts)
        expect(read.map(commandOf)).toEqual(
          commands.map(([name = "", ...args]) => [name.toLowerCase(), ...args])
        )
      }),
      { numRuns: 1_000 }
    )
  })

  it("calls a frame by its own type, not by that of what is in it or before it", () => {
    const frames = [
      "*2\r\n:1\r\n>0\r\n",
      ">1\r\n+a\r\n",
      "|1\r\n+k\r\n*1\r\n:1\r\n%1\r\n:1\r\n:2\r\n"
    ]
    const read = framesOf(Buffer.from(frames.join("")), [])
    expect(read.map(({ type }) => type)).toEqual(["*", ">", "%"])
  })

  it.each(["GET key\r\n", "$x\r\n", "*1.5\r\n"])("refuses %j", (bytes) => {
    expect(() => makeFramer()(Buffer.from(bytes))).toThrow("RESP")
  })
})

describe("frames from the server", () => {
  const frame = (bytes: string) => makeFramer()(Buffer.from(bytes))[0]!
  const confirmed = (type: string, kind: string, channel: string) =>
    frame(`${type}3\r\n+${kind}\r\n+${channel}\r\n:1\r\n`)
  const message = frame(encode(["message", "a", "b"]))
  const range = ["lrange", "list", "0", "-1"]

  it("that look like messages are pushes only where something is subscribed in RESP2", () => {
    const read = makeReplyReader()
    expect(read(message, range)).toBe("end")
    expect(read(confirmed("*", "subscribe", "a"), ["subscribe", "a"])).toBe("end")
    expect(read(message, ["ping"])).toBe("push")
    expect(read(confirmed("*", "unsubscribe", "a"), ["unsubscribe", "a"])).toBe("end")
    expect(read(message, range)).toBe("end")
  })

  it("that look like messages are replies in RESP3, where pushes say what they are", () => {
    const read = makeReplyReader()
    expect(read(confirmed(">", "subscribe", "a"), ["subscribe", "a"])).toBe("end")
    expect(read(message, range)).toBe("end")
    expect(read(confirmed(">", "subscribe", "a"), range)).toBe("push")
  })

  it("answer a subscription once for each channel, and a refused one once", () => {
    const read = makeReplyReader()
    const readAll = (kind: string, channels: ReadonlyArray<string>, due: Words) =>
      channels.map((channel) => read(confirmed("*", kind, channel), due))
    const all = ["subscribe", "a", "b", "c"]
    expect(readAll("unsubscribe", [""], ["unsubscribe"])).toEqual(["end"])
    expect(readAll("subscribe", ["a", "b", "c"], all)).toEqual(["part", "part", "end"])
    expect(readAll("psubscribe", ["p*"], ["psubscribe", "p*"])).toEqual(["end"])
    expect(read(frame("-NOPERM\r\n"), all)).toBe("end")
    const left = readAll("unsubscribe", ["c", "a", "b"], ["unsubscribe"])
    expect(left).toEqual(["part", "part", "end"])
  })
})

describe("commands keep their place", () => {
  it.each<[sentence: string, commands: string, kept: string]>([
    ["never, if they are plain", "get evalsha publish", ""],
    ["if they change the connection", "get select get subscribe get", "select subscribe"],
    ["in a transaction", "get multi set unwatch set exec get", "multi set unwatch set exec"],
    ["from WATCH on", "watch get multi set discard get", "watch get multi set discard"],
    ["until UNWATCH", "watch get unwatch get", "watch get unwatch"],
    ["until UNWATCH, but not in MULTI", "watch multi unwatch exec", "watch multi unwatch exec"],
    ["until the connection is reset", "watch multi reset get", "watch multi reset"]
  ])("%s", (_, commands, kept) => {
    const keepsPlace = makePlaceKeeper()
    expect(commands.split(" ").filter((name) => keepsPlace([name]))).toEqual(
      kept.split(" ").filter((name) => name !== "")
    )
  })
})

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
  readonly proxy: Proxy
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
    const proxy = yield* startProxy(server)
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

/** Nothing comes for as long as something would need ten times over. */
const isSilent = (read: Effect.Effect<unknown, unknown>) =>
  Effect.map(Effect.timeoutOption(read, 50), Option.isNone)

const isRunning = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => isSilent(Fiber.await(fiber))

const named =
  (...start: ReadonlyArray<string>) =>
  (command: Words) =>
    start.every((word, n) => word === command[n])

const until = <A, E>(effect: Effect.Effect<A, E>, isIt: (value: A) => boolean) =>
  Effect.repeat(effect, { until: isIt, schedule: Schedule.spaced(1) })

const countClients = (direct: Redis) =>
  Effect.map(
    ask(() => direct.client("LIST")),
    (list) => String(list).trim().split("\n").length
  )

const untilSent = (proxy: Proxy, matches: (command: Words) => boolean) =>
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

  it.scopedLive("a cut ends the connection of a held command, which can still be executed", () =>
    Effect.gen(function* () {
      const { client, direct, proxy } = yield* startWorld({ maxRetriesPerRequest: 0 })
      yield* proxy.hold(named("set"))
      const caller = yield* Effect.fork(ask(() => client.set("key", "value")))
      const held = yield* proxy.next()
      yield* held.cut
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
      yield* dropped.cut
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

  it.scopedLive("pushes can be dropped while commands pass", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      const subscriber = yield* connect(proxy.url)
      const messages = yield* subscribe(subscriber, "news")
      yield* proxy.dropPushes
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
      yield* first.drop
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
      yield* proxy.dropPushes
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
  it.scopedLive("a delay is added each way, and keeps the order", () =>
    Effect.gen(function* () {
      const { client, proxy } = yield* startWorld()
      const timed = (command: () => Promise<unknown>) => Effect.timed(ask(command))
      yield* proxy.delay(150)
      const echoes = () => Promise.all([client.echo("a"), client.echo("b"), client.echo("c")])
      const [slow, answers] = yield* timed(echoes)
      expect(answers).toEqual(["a", "b", "c"])
      expect(Duration.toMillis(slow)).toBeGreaterThanOrEqual(298)
      const first = yield* Effect.fork(ask(() => client.echo("first")))
      yield* untilSent(proxy, named("echo", "first"))
      // Its answer is under way by then.
      yield* Effect.sleep(50)
      yield* proxy.delay(0)
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
      yield* proxy.blackHole
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
      yield* proxy.blackHole
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
      yield* proxy.blackHole
      yield* held.pass
      yield* server.kill
      expect(yield* isSilent(Effect.race(asking.read, idle.read))).toBe(true)
      yield* proxy.cut
      expect([yield* asking.read, yield* idle.read]).toEqual(["closed", "closed"])
    })
  )

  it.scopedLive("after a cut, clients connect again", () =>
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
      yield* proxy.cut
      yield* Effect.flip(Fiber.join(caller))
      expect(yield* ask(() => client.get("key"))).toBe("value")
      expect(yield* ask(() => direct.get("key"))).toBe("value")
    })
  )

  it.scopedLive("a cut takes with it what the delay had under way", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("get"))
      yield* wire.send("GET held")
      yield* proxy.next()
      yield* proxy.delay(100)
      yield* wire.send("SET key value")
      yield* Effect.sleep(50)
      yield* proxy.cut
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

  it.scopedLive("the server is rid of a client that hangs up, or is cut", () =>
    Effect.gen(function* () {
      const { direct, proxy } = yield* startWorld()
      const wires = yield* Effect.replicateEffect(dial(proxy.port), 3)
      const clients = countClients(direct)
      yield* until(clients, (count) => count === 5)
      yield* wires[0]!.send("BLPOP nothing 0")
      yield* untilSent(proxy, named("blpop"))
      yield* wires[0]!.hangUp
      yield* until(clients, (count) => count === 4)
      yield* proxy.cut
      yield* until(clients, (count) => count === 1)
    })
  )

  it.scopedLive("when its scope closes, so do its connections and its port", () =>
    Effect.gen(function* () {
      const server = yield* startOwnRedis
      const life = yield* Scope.make()
      const proxy = yield* Scope.extend(startProxy(server), life)
      const wire = yield* dial(proxy.port)
      yield* proxy.hold(named("get"))
      yield* wire.send("PING", "GET held")
      yield* proxy.next()
      expect(yield* wire.read).toBe("PONG")
      yield* proxy.delay(10_000)
      yield* wire.send("PING")
      yield* Scope.close(life, Exit.void)
      const direct = yield* connect(server.url)
      yield* until(countClients(direct), (count) => count === 1)
      expect(yield* wire.read).toBe("closed")
      expect(yield* (yield* dial(proxy.port)).read).toBe("closed")
    })
  )
})
