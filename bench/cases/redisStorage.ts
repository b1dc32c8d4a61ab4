/** Lasting entries in Redis, a hundred at a time. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import { Storage, type StorageError } from "effect-larder"
import { RedisClient, RedisStorage } from "effect-larder/redis"
import { Redis } from "ioredis"
import { ours } from "../figures.js"
import { interleave } from "../harness.js"
import { overRedis } from "../overRedis.js"
import { report, timesAsFast } from "../report.js"
import * as Stores from "../stores.js"
import { keyOf, type User, users } from "../users.js"

const bare = "ioredis pipelines"
const batch = 100
/** Batches in a turn. */
const ops = 100
const ttl = 3_600_000

export const redisStorage = overRedis("Redis storage", (redis, isQuick) =>
  Effect.gen(function* () {
    const storage = ManagedRuntime.make(
      Layer.provide(RedisStorage.layer(), RedisClient.layerStrict({ url: redis.url }))
    )
    yield* Effect.addFinalizer(() => storage.disposeEffect)
    const connection = new Redis(redis.url)
    yield* Effect.addFinalizer(() => Effect.sync(() => connection.disconnect()))
    const stores = Stores.onRedis(redis)
    yield* Effect.addFinalizer(() =>
      Effect.promise(() => Promise.all(stores.map((store) => store.close())))
    )
    const reports = yield* Effect.forEach([1, 10], (callers) =>
      Effect.promise(async () => {
        const run = async (
          title: string,
          each: (some: ReadonlyArray<User>) => Effect.Effect<number, StorageError, Storage>,
          others: ReadonlyArray<Other>
        ) => {
          const peers = [
            {
              name: ours,
              turn: (count: number) => storage.runPromise(inFibers(callers, count, each))
            },
            ...others.map(({ name, turn }) => ({ name, turn: inLoops(callers, turn) }))
          ]
          const turns = await interleave(
            title,
            peers.map((peer) => ({ ops, expected: sumOfBatches, ...peer })),
            {
              ...(isQuick ? { warmups: 1, rounds: 4 } : { warmups: 3, rounds: 20 }),
              isCollectedFirst: false
            }
          )
          return report(title, turns, [
            timesAsFast(turns, bare, 0.8),
            ...stores.map(({ name }) => timesAsFast(turns, name, 1))
          ])
        }
        const among = callers === 1 ? "1 caller" : `${callers} callers`
        return [
          await run(`Redis: set 100 entries, ${among}`, setOurs, [
            { name: bare, turn: (some) => setBare(connection, some) },
            ...stores.map((store) => ({ name: store.name, turn: setIn(store) }))
          ]),
          await run(`Redis: get 100 entries, ${among}`, getOurs, [
            { name: bare, turn: (some) => getBare(connection, some) },
            ...stores.map((store) => ({ name: store.name, turn: getIn(store) }))
          ])
        ]
      })
    )
    return reports.flat()
  })
)

interface Other {
  readonly name: string
  readonly turn: (some: ReadonlyArray<User>) => Promise<number>
}

const batchAt = (nth: number): ReadonlyArray<User> => {
  const start = (nth * batch) % users.length
  return users.slice(start, start + batch)
}

const sumOf = (some: ReadonlyArray<unknown>): number =>
  some.reduce<number>((sum, it) => sum + (it as User).id, 0)

const sumOfBatches = (count: number): number => {
  let sum = 0
  for (let nth = 0; nth < count; nth++) sum += sumOf(batchAt(nth))
  return sum
}

/** Whose turn it is takes the next batch, so that each is taken once. */
const inFibers = <E, R>(
  callers: number,
  count: number,
  each: (some: ReadonlyArray<User>) => Effect.Effect<number, E, R>
): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    let [sum, nth] = [0, 0]
    const caller = Effect.gen(function* () {
      while (nth < count) {
        const added = yield* each(batchAt(nth++))
        sum += added
      }
    })
    const all = Array.from({ length: callers }, () => caller)
    return Effect.map(Effect.all(all, { concurrency: "unbounded", discard: true }), () => sum)
  })

const inLoops =
  (callers: number, each: (some: ReadonlyArray<User>) => Promise<number>) =>
  async (count: number): Promise<number> => {
    let [sum, nth] = [0, 0]
    const caller = async () => {
      while (nth < count) {
        // Apart: `sum += await` would read the sum before.
        const added = await each(batchAt(nth++))
        sum += added
      }
    }
    await Promise.all(Array.from({ length: callers }, caller))
    return sum
  }

const setOurs = (some: ReadonlyArray<User>) =>
  Effect.as(Storage.setMany(some.map((user) => [keyOf(user), user])), sumOf(some))

const getOurs = (some: ReadonlyArray<User>) =>
  Effect.map(Storage.getMany(some.map(keyOf)), (found) => sumOf(found.map(Option.getOrThrow)))

const setBare = async (connection: Redis, some: ReadonlyArray<User>): Promise<number> => {
  const pipeline = connection.pipeline()
  for (const user of some) pipeline.set(`bare:${keyOf(user)}`, JSON.stringify(user), "PX", ttl)
  await pipeline.exec()
  return sumOf(some)
}

const getBare = async (connection: Redis, some: ReadonlyArray<User>): Promise<number> => {
  const pipeline = connection.pipeline()
  for (const user of some) pipeline.get(`bare:${keyOf(user)}`)
  const replies = await pipeline.exec()
  return sumOf((replies ?? []).map(([, text]) => JSON.parse(String(text))))
}

const setIn = (store: Stores.Store) => async (some: ReadonlyArray<User>) => {
  await store.setMany(some)
  return sumOf(some)
}

const getIn = (store: Stores.Store) => async (some: ReadonlyArray<User>) =>
  sumOf(await store.getMany(some.map(keyOf)))
