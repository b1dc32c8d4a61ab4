/** The steps of the port on a real server against the pure transitions of `policy/lease.ts`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import { RedisClient } from "effect-larder/redis"
import { Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { tokens } from "../../src/core/tokens.js"
import * as Envelope from "../../src/policy/envelope.js"
import * as Lease from "../../src/policy/lease.js"
import type { Service } from "../../src/redis/RedisClient.js"
import { scripted } from "../../src/redis/scripted.js"
import { bytesOf, type Steps } from "../../src/redis/steps.js"
import { pushText } from "../../src/redis/subscriptions.js"
import { transactional } from "../../src/redis/transactional.js"
import { channelOf, type Place, placeOf } from "../../src/redis/wire.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { type RedisServer, startRedis } from "../servers/redis.js"
import { started } from "./backends.js"
import { seedOf } from "./chance.js"

const seed = seedOf("the steps on a server")

/** Which header: of the entry that is there, of the last one made, or of none ever made. */
type Which = "current" | "last" | "unknown"

/** What is asked, with all its times as offsets from now. */
type Operation =
  | { readonly name: "read"; readonly duration: number; readonly reject?: Which | undefined }
  | { readonly name: "refresh"; readonly duration: number; readonly seen: Which }
  | { readonly name: "replace" | "renew"; readonly duration: number }
  | { readonly name: "commit" | "set"; readonly expiresIn: number; readonly keepFor: number }
  | { readonly name: "release" | "invalidate" | "revoke" | "late set" }
  /** Somebody else writes over the entry, the lease or what has ended. */
  | { readonly name: "list" | "text"; readonly at: "entry" | "lease" | "ended" }
  | { readonly name: "pass"; readonly millis: number }

interface Command {
  readonly operation: Operation
  readonly key: "plain" | "odd"
  readonly token: string
}

/** The lengths of time that occur. No sum of passes equals one: then no tie decides. */
interface Times {
  readonly durations: ReadonlyArray<number>
  readonly lives: ReadonlyArray<number>
  readonly expiries: ReadonlyArray<number>
  readonly passes: ReadonlyArray<number>
}

/** Nothing runs out while a sequence lasts. */
const ages: Times = {
  durations: [600_000, 700_000],
  lives: [600_000, 800_000, Infinity],
  expiries: [600_000, Infinity, -600_000],
  passes: []
}

/** Everything does. */
const moments: Times = {
  durations: [15, 45, 105, 100_005],
  lives: [25, 75, 205, 100_005, Infinity],
  expiries: [-5, 35, 115, Infinity],
  passes: [10, 20, 50, 100, 1_000]
}

const commandsWith = ({ durations, expiries, lives, passes }: Times) => {
  const { constant, constantFrom, oneof, option, record } = FastCheck
  const duration = constantFrom(...durations)
  const which = constantFrom<Array<Which>>("current", "last", "unknown")
  const at = constantFrom("entry" as const, "lease" as const, "ended" as const)
  const write = { expiresIn: constantFrom(...expiries), keepFor: constantFrom(...lives) }
  const asking = oneof(
    record({
      name: constant("read" as const),
      duration,
      reject: option(which, { nil: undefined })
    }),
    record({ name: constant("refresh" as const), duration, seen: which }),
    record({ name: constantFrom("replace" as const, "renew" as const), duration })
  )
  const writing = record({ name: constantFrom("commit" as const, "set" as const), ...write })
  const other = constantFrom<Array<Operation>>(
    ...(["release", "invalidate", "revoke", "late set"] as const).map((name) => ({ name }))
  )
  const stranger = record({ name: constantFrom("list" as const, "text" as const), at })
  const passing = passes.map((millis) => ({ name: "pass", millis }) as const)
  const operation = oneof<Array<FastCheck.MaybeWeightedArbitrary<Operation>>>(
    { weight: 8, arbitrary: asking },
    { weight: 6, arbitrary: writing },
    { weight: 5, arbitrary: other },
    { weight: 1, arbitrary: stranger },
    ...(passing.length > 0 ? [{ weight: 8, arbitrary: constantFrom(...passing) }] : [])
  )
  const command: FastCheck.Arbitrary<Command> = record({
    operation,
    key: constantFrom("plain" as const, "odd" as const),
    token: constantFrom("t1", "t2", "t3")
  })
  return FastCheck.array(command, { minLength: 1, maxLength: 30, size: "max" })
}

/** A way to do the steps. */
interface Way {
  readonly steps: (client: Service) => Steps
  /** Are entries stored as bytes of a codec, or as JSON? */
  readonly isBinary: boolean
  /** Are pushes sent in the step itself? Then there is nothing left to be sent. */
  readonly pushesItself: boolean
  /** How many to try. */
  readonly sequences: number
}

const ways: Readonly<Record<string, Way>> = {
  "by script": {
    steps: () => scripted(false),
    isBinary: false,
    pushesItself: false,
    sequences: 960
  },
  "by script, which pushes itself, of bytes": {
    steps: () => scripted(true),
    isBinary: true,
    pushesItself: true,
    sequences: 960
  },
  "by transaction": {
    steps: ({ limits }) => transactional(limits.commandTimeout),
    isBinary: false,
    pushesItself: false,
    sequences: 480
  },
  "by transaction, of bytes": {
    steps: ({ limits }) => transactional(limits.commandTimeout),
    isBinary: true,
    pushesItself: false,
    sequences: 480
  }
}

const stampOf = tokens()

/** What goes on between one server and one way. */
interface Stage {
  readonly client: Service
  readonly raw: Redis
  readonly way: Way
  readonly steps: Steps
  /** Whoever runs a sequence: hears what is pushed with its mark, until the mark comes alone. */
  readonly listeners: Map<string, (text: string) => void>
  readonly pass: (millis: number) => Effect.Effect<void>
  /** Does the server's clock stand still, but for `pass`? */
  readonly isFrozen: boolean
}

const prefix = "steps"

const setStage = (
  server: RedisServer,
  way: Way,
  { isFrozen, maxConnections }: { readonly isFrozen: boolean; readonly maxConnections: number }
) =>
  Effect.gen(function* () {
    const layer = RedisClient.layer({ url: server.url, maxConnections })
    const client = Context.get(yield* Layer.build(layer), RedisClient)
    const open = Effect.acquireRelease(
      Effect.sync(() => new Redis(server.url)),
      (it) => Effect.sync(() => it.disconnect())
    )
    const listeners: Stage["listeners"] = new Map()
    const listener = yield* open
    listener.on("message", (_, text: string) => {
      for (const [mark, hear] of listeners) if (text.includes(mark)) hear(text)
    })
    yield* Effect.promise(() => listener.subscribe(channelOf(prefix)))
    const stage: Stage = {
      client,
      raw: yield* open,
      way,
      steps: way.steps(client),
      listeners,
      pass: server.stepClock,
      isFrozen
    }
    return stage
  })

/** One key: what is known of it, and where it is. */
interface Subject {
  cell: Lease.Cell
  readonly place: Place
}

/** One sequence on keys of its own. */
const perform = (stage: Stage, commands: ReadonlyArray<Command>) =>
  Effect.gen(function* () {
    const { listeners, raw, way } = stage
    const own = stampOf()
    const heard: Array<string> = []
    const isOver = new Promise<void>((resolve) => {
      listeners.set(own, (text) => (text === own ? resolve() : void heard.push(text)))
    })
    const subjects = {
      plain: { cell: {}, place: placeOf(`${prefix}:${own}`) },
      odd: { cell: {}, place: placeOf(`${prefix}:{}}${own}{\r\n\ud800`) }
    } satisfies Record<string, Subject>
    const pushes: Array<string> = []
    let last = "no header"
    for (const { key, operation, token } of commands) {
      if (operation.name === "pass") {
        yield* stage.pass(operation.millis)
        continue
      }
      const subject: Subject = subjects[key]
      const now = yield* serverTime(raw)
      const said = `${JSON.stringify(operation)} on ${key} by ${token}`
      if ("at" in operation) {
        subject.cell = yield* intrude(stage, subject, operation.name, operation.at)
      } else {
        const stored = makeEntry(now, operation, way.isBinary)
        const [transition, doing] = both(stage, subject, now, operation, token, stored, last)
        const done = yield* doing
        const step = transition(Lease.settle(subject.cell, now), now)
        subject.cell = step.cell
        last = Envelope.headerText(stored) ?? last
        const push = step.push
          ? pushText(step.push.reason, step.push.token, subject.place.entry)
          : ""
        if (way.pushesItself && push !== "") pushes.push(push)
        expect(done.push, `what is left to be pushed after ${said}`).toBe(
          way.pushesItself ? "" : push
        )
        expect(comparable(done.reply), `the reply to ${said}`).toEqual(comparable(step.reply))
      }
      expect(yield* found(stage, subject), `what is there after ${said}`).toEqual(
        expected(stage, subject, now)
      )
    }
    if (!way.pushesItself) return
    yield* Effect.promise(() => raw.publish(channelOf(prefix), own))
    yield* Effect.promise(() => isOver)
    listeners.delete(own)
    expect(heard, "all that was pushed").toEqual(pushes)
  })

const serverTime = (raw: Redis): Effect.Effect<number> =>
  Effect.promise(async () => {
    const [seconds, micros] = (await raw.time()).map(Number)
    return (seconds ?? NaN) * 1_000 + (micros ?? NaN) / 1_000
  })

const makeEntry = (now: number, operation: Operation, isBinary: boolean): Envelope.Encoded =>
  Envelope.encode(
    {
      codec: isBinary ? "b" : "j",
      kind: "v",
      createdAt: Math.floor(now),
      expiresAt: Math.floor(now) + ("expiresIn" in operation ? operation.expiresIn : 0),
      staleUntil: Math.floor(now),
      errorUntil: Math.floor(now),
      delta: 3,
      version: 0,
      stamp: stampOf()
    },
    isBinary ? Uint8Array.of(0, 255, 10, 13, 128) : '"é\u2028"'
  )

/** Puts a stranger's value in the place of one of ours: as what the transitions must take it. */
const intrude = (
  { raw }: Stage,
  { cell, place }: Subject,
  what: "list" | "text",
  at: "entry" | "lease" | "ended"
): Effect.Effect<Lease.Cell> =>
  Effect.promise(async () => {
    await raw.del(place[at])
    if (what === "list") await raw.rpush(place[at], "stranger's")
    else await raw.set(place[at], "a stranger's")
    const stranger = { stored: what === "list" ? "" : "a stranger's", keepUntil: Infinity }
    switch (at) {
      case "entry":
        return { ...cell, value: stranger }
      case "lease":
        return { ...cell, lease: undefined }
      case "ended":
        // A text there is a token: ours have no look of their own.
        return {
          ...cell,
          ended: what === "list" ? undefined : { token: "a stranger's", until: Infinity }
        }
    }
  })

type Transition = (cell: Lease.Cell, now: number) => Lease.Step<unknown>

/** What an operation does to the model, and how the server is told to do the same. */
const both = (
  { client, steps }: Stage,
  { cell, place }: Subject,
  now: number,
  operation: Exclude<Operation, { readonly name: "pass" | "list" | "text" }>,
  token: string,
  stored: Envelope.Encoded,
  last: string
): readonly [Transition, Effect.Effect<{ readonly reply: unknown; readonly push: string }>] => {
  const link = client.linkOf(place.entry)
  const header = (which: Which): string => {
    const there = Lease.settle(cell, now).value?.stored
    if (which === "unknown") return "no header"
    return which === "last" ? last : ((there && Envelope.headerText(there)) ?? "no header")
  }
  const asking = (request: Lease.LeaseRequest) =>
    [
      (before: Lease.Cell, at: number) => Lease.lease(before, at, request),
      Effect.orDie(steps.lease(link, place, request))
    ] as const
  switch (operation.name) {
    case "read": {
      const { duration, name: intent, reject } = operation
      return asking({ intent, token, duration, reject: reject && header(reject) })
    }
    case "refresh":
      return asking({
        intent: "refresh",
        token,
        duration: operation.duration,
        seen: header(operation.seen)
      })
    case "replace":
      return asking({ intent: "replace", token, duration: operation.duration })
    case "renew":
      return [
        (before, at) => Lease.renew(before, at, token, operation.duration),
        Effect.orDie(steps.renew(link, place, token, operation.duration))
      ]
    case "commit":
      return [
        (before, at) => Lease.commit(before, at, token, stored, operation.keepFor),
        Effect.orDie(steps.commit(link, place, token, stored, operation.keepFor))
      ]
    case "set":
      return [
        (before, at) => ({ ...Lease.set(before, at, stored, operation.keepFor), reply: true }),
        Effect.orDie(steps.set(link, place, stored, operation.keepFor, now + 1_000))
      ]
    case "late set":
      return [
        (before) => ({ cell: before, reply: false }),
        Effect.orDie(steps.set(link, place, stored, 100, now - 1))
      ]
    case "release":
      return [
        (before, at) => Lease.release(before, at, token),
        Effect.orDie(steps.release(link, place, token))
      ]
    case "invalidate":
      return [Lease.invalidate, Effect.orDie(steps.invalidate(link, place))]
    case "revoke":
      return [
        (before, at) => Lease.revoke(before, at, "written"),
        Effect.orDie(steps.revoke(link, place))
      ]
  }
}

const textOf = (stored: Envelope.Encoded): string => Buffer.from(bytesOf(stored)).toString("latin1")

/** Replies, whether text or bytes, and with nothing said of what is undefined. */
const comparable = (reply: unknown): unknown =>
  typeof reply === "object" && reply !== null
    ? JSON.parse(
        JSON.stringify(
          "stored" in reply ? { ...reply, stored: textOf(reply.stored as Envelope.Encoded) } : reply
        )
      )
    : reply

interface There {
  readonly text: string
  /** Milliseconds it has left; -1: for good. */
  readonly left: number
}

/** The three keys on the server. */
const found = ({ isFrozen, raw }: Stage, { place: { ended, entry, lease } }: Subject) =>
  Effect.promise(async () => {
    const look = async (key: string): Promise<There | undefined> => {
      const [content, left] = await Promise.all([
        raw.getBuffer(key).catch(() => Buffer.of()),
        raw.pttl(key)
      ])
      return content === null
        ? undefined
        : { text: content.toString("latin1"), left: shown(left, isFrozen) }
    }
    const [value, held, last] = await Promise.all([entry, lease, ended].map(look))
    return {
      value,
      // A stranger's value there is no lease, and a stranger's list no token.
      lease: held && /^\S+ \d+ [01]$/.test(held.text) ? held : undefined,
      ended: last?.text === "" ? undefined : last
    }
  })

/** On a server whose clock runs, to the minute. */
const shown = (left: number, isFrozen: boolean): number =>
  isFrozen || left < 0 ? left : Math.ceil(left / 60_000)

/** The three keys as the model has them. */
const expected = ({ isFrozen }: Stage, { cell: before }: Subject, now: number) => {
  const cell = Lease.settle(before, now)
  const left = (until: number) =>
    until === Infinity ? -1 : shown(Math.round(until - now), isFrozen)
  return {
    value: cell.value && { text: textOf(cell.value.stored), left: left(cell.value.keepUntil) },
    lease: cell.lease && {
      text: `${cell.lease.token} ${cell.lease.duration} ${cell.lease.isAwaited ? 1 : 0}`,
      left: left(cell.lease.until)
    },
    ended: cell.ended && { text: cell.ended.token, left: left(cell.ended.until) }
  }
}

const check = (
  stage: Effect.Effect<Stage>,
  commands: FastCheck.Arbitrary<ReadonlyArray<Command>>,
  numRuns: number,
  nth: number
): Promise<void> =>
  Effect.runPromise(stage).then((set) =>
    FastCheck.assert(
      FastCheck.asyncProperty(commands, (sequence) => Effect.runPromise(perform(set, sequence))),
      { numRuns, seed: seed + nth }
    )
  )

describeWithServer("the steps, whatever is asked in whatever order", ["redis-server"], () => {
  const server = started(startRedis())

  describe.each(Object.entries(ways))("%s", (_, way) => {
    const { sequences } = way

    const stage = started(
      Effect.flatMap(server, (it) => setStage(it, way, { isFrozen: false, maxConnections: 5 }))
    )

    it("answer, leave behind and push what the pure transitions do", async () => {
      // Side by side: a server is quicker than the way to it.
      await Promise.all(
        Array.from({ length: 8 }, (_, nth) => check(stage, commandsWith(ages), sequences / 8, nth))
      )
    }, 120_000)
  })
})

describeWithServer(
  "the steps, while everything runs out",
  ["redis-server", "libfaketimeMT.so.1"],
  () => {
    const server = started(startRedis({ fakeClock: "frozen" }))

    describe.each(Object.entries(ways))("%s", (_, way) => {
      const { sequences } = way

      const stage = started(
        Effect.flatMap(server, (it) => setStage(it, way, { isFrozen: true, maxConnections: 2 }))
      )

      it(
        "answer, leave behind and push what the pure transitions do, to the millisecond",
        () => check(stage, commandsWith(moments), sequences / 4, 0),
        120_000
      )
    })

    it("a set without scripts does nothing once its guard has run out", () =>
      Effect.gen(function* () {
        const { stepClock } = yield* server
        const stage = yield* setStage(yield* server, ways["by transaction"]!, {
          isFrozen: true,
          maxConnections: 2
        })
        const place = placeOf(`${prefix}:late`)
        const link = stage.client.linkOf(place.entry)
        const { commandTimeout } = stage.client.limits
        const [seconds = 0, micros = 0] = yield* Effect.promise(() => stage.raw.time())
        const deadline = seconds * 1_000 + micros / 1_000 + commandTimeout
        // The guard is set; somebody else has the connection for a command's time and longer.
        yield* link.turn.take(1)
        const setting = yield* Effect.fork(stage.steps.set(link, place, "late", Infinity, deadline))
        yield* Effect.repeat(
          Effect.promise(() => stage.raw.dbsize()),
          { until: (size) => size > 0 }
        )
        yield* stepClock(commandTimeout + 1)
        yield* link.turn.release(1)
        expect((yield* setting).reply).toBe(false)
        expect(yield* Effect.promise(() => stage.raw.get(place.entry))).toBeNull()
      }).pipe(Effect.scoped, Effect.runPromise))
  }
)
