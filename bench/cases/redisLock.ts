/** A lock in Redis, taken and given back: by one who is alone, and by fifty who want the same. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { DistributedLock } from "effect-larder"
import { RedisClient, RedisLock } from "effect-larder/redis"
import type { Redis } from "ioredis"
import { randomUUID } from "node:crypto"
// @ts-expect-error -- 5.0.0-beta.2 has types, but does not export them
import Redlock from "redlock"
import { Mutex } from "redis-semaphore"
import { account, total } from "../commandStats.js"
import { ours, type Report, type Target } from "../figures.js"
import { interleave, type Peer, type Turns } from "../harness.js"
import { overRedis } from "../overRedis.js"
import * as Clients from "../redisClients.js"
import { atMost, report } from "../report.js"

const withLock = `${ours}, withLock`
const redlocks = "redlock"
const redlocksUsing = "redlock, using"
const mutexes = "redis-semaphore"
const byHand = "SET NX PX, EVALSHA by hand"

const duration = 10_000
/** Longer than fifty take: nobody gives up. */
const patience = 60_000

/** Does something under a lock, so many times, by so many callers at once. */
type Fight = (name: string, callers: number, times: number, inside: () => void) => Promise<unknown>

interface Locker {
  readonly name: string
  readonly fight: Fight
}

export const redisLock = overRedis("A lock in Redis", (redis, isQuick) =>
  Effect.gen(function* () {
    const connection = yield* Clients.connect(redis)
    const client = RedisClient.layerStrict({ url: redis.url })
    const runtime = yield* Effect.acquireRelease(
      Effect.sync(() => ManagedRuntime.make(Layer.provide(RedisLock.layer, client))),
      (it) => it.disposeEffect
    )
    const acquired = (name: string, inside: () => void) =>
      Effect.scoped(Effect.map(DistributedLock.acquire(name, { duration, wait: patience }), inside))
    const bodied = (name: string, inside: () => void) =>
      DistributedLock.withLock(name, { duration, wait: patience })(Effect.sync(inside))
    const lockers: ReadonlyArray<Locker> = [
      { name: ours, fight: inFibers(runtime, acquired) },
      { name: withLock, fight: inFibers(runtime, bodied) },
      { name: redlocks, fight: inLoops(redlockOf(connection)) },
      { name: redlocksUsing, fight: inLoops(usingOf(connection)) },
      { name: mutexes, fight: inLoops(mutexOf(connection)) }
    ]
    const alone = [...lockers, { name: byHand, fight: inLoops(yield* lockByHand(connection)) }]
    const { one, fifty } = isQuick
      ? { one: { warmups: 2, rounds: 8 }, fifty: { warmups: 1, rounds: 3 } }
      : { one: { warmups: 6, rounds: 30 }, fifty: { warmups: 1, rounds: 8 } }
    const single = yield* Effect.promise(() =>
      interleave("A lock that nobody else wants", peersOf(alone, 1, 500), {
        ...one,
        isCollectedFirst: false
      })
    )
    const commands = yield* account(
      redis,
      connection,
      50,
      Effect.promise(() => runtime.runPromise(Effect.repeatN(acquired("counted", noop), 49)))
    )
    const crowd = yield* Effect.promise(() =>
      interleave("A lock that fifty want", peersOf(lockers, 50, 100), {
        ...fifty,
        isCollectedFirst: false
      })
    )
    return [
      reported("A lock that nobody else wants", single, [
        ...[redlocks, mutexes].map((peer) => atMost(single, peer, 1)),
        {
          what: "two round trips",
          figure: total(commands.sent).toFixed(2),
          isMet: total(commands.sent) <= 2
        }
      ]),
      reported(
        "A lock that fifty callers of a process want, a hundred times in all",
        crowd,
        [redlocks, mutexes].map((peer) => atMost(crowd, peer, 1))
      )
    ]
  })
)

const noop = () => {}

const reported = (title: string, turns: Turns, targets: ReadonlyArray<Target>): Report =>
  report(title, turns, targets, { withCpu: true })

/** Two who are in it at the same time would count one too few. */
const peersOf = (
  lockers: ReadonlyArray<Locker>,
  callers: number,
  ops: number
): ReadonlyArray<Peer> =>
  lockers.map(({ fight, name }) => ({
    name,
    ops,
    expected: (times) => times,
    turn: async (times) => {
      let count = 0
      await fight(`${name} ${callers}`, callers, times, () => count++)
      return count
    }
  }))

const indices = (count: number) => Array.from({ length: count }, (_, index) => index)

const inFibers =
  (
    runtime: ManagedRuntime.ManagedRuntime<DistributedLock, unknown>,
    locked: (name: string, inside: () => void) => Effect.Effect<void, unknown, DistributedLock>
  ): Fight =>
  (name, callers, times, inside) =>
    runtime.runPromise(
      Effect.forEach(
        indices(callers),
        () => Effect.repeatN(locked(name, inside), times / callers - 1),
        { concurrency: "unbounded", discard: true }
      )
    )

type Locked = (name: string, inside: () => void) => Promise<void>

const inLoops =
  (locked: Locked): Fight =>
  (name, callers, times, inside) =>
    Promise.all(
      indices(callers).map(async () => {
        for (let time = 0; time < times / callers; time++) await locked(name, inside)
      })
    )

interface Redlocks {
  readonly acquire: (
    names: ReadonlyArray<string>,
    duration: number
  ) => Promise<{ readonly release: () => Promise<unknown> }>
  readonly using: (
    names: ReadonlyArray<string>,
    duration: number,
    body: () => Promise<void>
  ) => Promise<void>
}

/** As it comes, but for giving up: its ten attempts are over before fifty have had their turn. */
const makeRedlock = (connection: Redis): Redlocks => new Redlock([connection], { retryCount: -1 })

const redlockOf = (connection: Redis): Locked => {
  const redlock = makeRedlock(connection)
  return async (name, inside) => {
    const lock = await redlock.acquire([name], duration)
    inside()
    await lock.release()
  }
}

/** With a body, as `withLock` has one: it renews. */
const usingOf = (connection: Redis): Locked => {
  const redlock = makeRedlock(connection)
  return (name, inside) => redlock.using([name], duration, async () => inside())
}

const mutexOf =
  (connection: Redis): Locked =>
  async (name, inside) => {
    const mutex = new Mutex(connection, name, { lockTimeout: duration, acquireTimeout: patience })
    await mutex.acquire()
    inside()
    await mutex.release()
  }

const unlock = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) else return 0 end`

/** The least there is: no renewal, no fence, nobody waits. */
const lockByHand = (connection: Redis) =>
  Effect.map(
    Effect.promise(() => connection.script("LOAD", unlock)),
    (sha): Locked =>
      async (name, inside) => {
        const token = randomUUID()
        if ((await connection.set(name, token, "PX", duration, "NX")) === null)
          throw new Error("locked")
        inside()
        await connection.evalsha(String(sha), 1, name, token)
      }
  )
