/** The steps of a lock on a real server against the pure transitions of `policy/lock.ts`. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import { RedisClient } from "effect-larder/redis"
import { Redis } from "ioredis"
import { describe, expect, it } from "vitest"
import { tokens } from "../../src/core/tokens.js"
import * as Lock from "../../src/policy/lock.js"
import { type LockSteps, scriptedLock, transactionalLock } from "../../src/redis/lockSteps.js"
import type { Service } from "../../src/redis/RedisClient.js"
import { pushText } from "../../src/redis/subscriptions.js"
import { type LockPlace, lockPlaceOf } from "../../src/redis/wire.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { type RedisServer, startRedis } from "../servers/redis.js"
import { started } from "./backends.js"
import { seedOf } from "./chance.js"

const seed = seedOf("the steps of a lock")

type Command =
  | { readonly name: "acquire"; readonly request: Lock.LockRequest }
  | { readonly name: "renew"; readonly token: string; readonly duration: number }
  | { readonly name: "release"; readonly token: string }
  | { readonly name: "pass"; readonly millis: number }
  /** A server that has lost what it knew. */
  | { readonly name: "forget" }

// Passes are multiples of 30. No duration is, nor are the 500 ms of a turn and the 10 s of a place in
// the queue: so no tie decides, which the microseconds between two questions would.
const { constant, constantFrom, oneof, record } = FastCheck
const token = constantFrom("t1", "t2", "t3", "t4")
const duration = constantFrom(15, 45, 105, 100_005)
const commands: FastCheck.Arbitrary<ReadonlyArray<Command>> = FastCheck.array(
  oneof(
    {
      weight: 8,
      arbitrary: record({
        name: constant("acquire" as const),
        request: record({ token, duration, isWaiting: FastCheck.boolean() })
      })
    },
    { weight: 2, arbitrary: record({ name: constant("renew" as const), token, duration }) },
    { weight: 6, arbitrary: record({ name: constant("release" as const), token }) },
    {
      weight: 4,
      arbitrary: record({
        name: constant("pass" as const),
        millis: constantFrom(30, 60, 480, 510, 990, 20_010)
      })
    },
    { weight: 1, arbitrary: constant({ name: "forget" as const }) }
  ),
  { minLength: 1, maxLength: 30, size: "max" }
)

const ways: Readonly<Record<string, (client: Service) => LockSteps>> = {
  "by script": () => scriptedLock(false),
  "by transaction": ({ limits }) => transactionalLock(limits.commandTimeout)
}

interface Stage {
  readonly client: Service
  readonly raw: Redis
  readonly steps: LockSteps
  readonly pass: (millis: number) => Effect.Effect<void>
}

const setStage = (server: RedisServer, way: (client: Service) => LockSteps) =>
  Effect.gen(function* () {
    const client = Context.get(
      yield* Layer.build(RedisClient.layer({ url: server.url })),
      RedisClient
    )
    const raw = yield* Effect.acquireRelease(
      Effect.sync(() => new Redis(server.url)),
      (it) => Effect.sync(() => it.disconnect())
    )
    const stage: Stage = { client, raw, steps: way(client), pass: server.stepClock }
    return stage
  })

const own = tokens()

const perform = ({ client, pass, raw, steps }: Stage, sequence: ReadonlyArray<Command>) =>
  Effect.gen(function* () {
    const place = lockPlaceOf("locks", `{}}${own()}{\r\n\ud800`)
    const link = client.linkOf(place.key)
    let cell: Lock.LockCell = {}
    for (const command of sequence) {
      const said = JSON.stringify(command)
      if (command.name === "pass") {
        yield* pass(command.millis)
        continue
      }
      if (command.name === "forget") {
        yield* Effect.promise(() => raw.del(place.lease, place.queue, place.fence))
        cell = {}
        continue
      }
      const now = yield* serverTime(raw)
      const [expected, doing] =
        command.name === "acquire"
          ? [Lock.acquire(cell, now, command.request), steps.acquire(link, place, command.request)]
          : command.name === "renew"
            ? [
                Lock.renew(cell, now, command.token, command.duration),
                steps.renew(link, place, command.token, command.duration)
              ]
            : [Lock.release(cell, now, command.token), steps.release(link, place, command.token)]
      const done: { readonly reply: unknown; readonly push: string } = yield* doing
      cell = expected.cell
      expect(done.reply, `the reply to ${said}`).toEqual(expected.reply)
      expect(done.push, `whose turn it is after ${said}`).toBe(
        expected.turn === undefined ? "" : pushText("ended", expected.turn, place.key)
      )
      expect(yield* found(raw, place), `what is there after ${said}`).toEqual(
        asFound(Lock.settle(cell, now), now)
      )
    }
  })

const serverTime = (raw: Redis): Effect.Effect<number> =>
  Effect.promise(async () => {
    const [seconds, micros] = (await raw.time()).map(Number)
    return (seconds ?? NaN) * 1_000 + (micros ?? NaN) / 1_000
  })

/** What stands there, and for how long. */
const found = (raw: Redis, { fence, lease, queue }: LockPlace) =>
  Effect.promise(async () => {
    const of = async (key: string) => {
      const text = await raw.get(key)
      return text === null ? undefined : { text, left: await raw.pttl(key) }
    }
    return { lease: await of(lease), queue: await of(queue), fence: await of(fence) }
  })

const asFound = ({ fence, lease, queue }: Lock.LockCell, now: number) => ({
  lease: lease && {
    text: `${lease.token} ${lease.duration} 0`,
    left: Math.ceil(lease.until - now)
  },
  queue: queue && { text: queue.tokens.join(" "), left: Math.ceil(queue.until - now) },
  fence: fence && { text: String(fence.last), left: Math.ceil(fence.until - now) }
})

describeWithServer("the steps of a lock", ["redis-server", "libfaketimeMT.so.1"], () => {
  const server = started(startRedis({ fakeClock: "frozen" }))

  describe.each(Object.entries(ways))("%s", (_, way) => {
    const stage = started(Effect.flatMap(server, (it) => setStage(it, way)))

    it(
      "answer, leave behind and push what the pure transitions do, to the millisecond",
      () =>
        Effect.runPromise(stage).then((set) =>
          FastCheck.assert(
            FastCheck.asyncProperty(commands, (sequence) =>
              Effect.runPromise(perform(set, sequence))
            ),
            { numRuns: 200, seed }
          )
        ),
      120_000
    )
  })
})
