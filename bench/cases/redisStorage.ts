/** Lasting entries in Redis, a hundred at a time. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import { Storage } from "effect-larder"
import { RedisClient, RedisStorage } from "effect-larder/redis"
import { Redis } from "ioredis"
import { ours } from "../figures.js"
import { interleave, type Peer } from "../harness.js"
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
    const turnsOf = (title: string, peers: ReadonlyArray<Pick<Peer, "name" | "turn">>) =>
      Effect.promise(() =>
        interleave(
          title,
          peers.map((peer) => ({ ops, expected: sumOfBatches, ...peer })),
          {
            ...(isQuick ? { warmups: 1, rounds: 4 } : { warmups: 3, rounds: 20 }),
            isCollectedFirst: false
          }
        )
      )
    const sets = yield* turnsOf("Redis: set 100 entries", [
      { name: ours, turn: (count) => storage.runPromise(inFiber(count, setOurs)) },
      { name: bare, turn: inLoop((some) => setBare(connection, some)) },
      ...stores.map((store) => ({ name: store.name, turn: inLoop(setIn(store)) }))
    ])
    const gets = yield* turnsOf("Redis: get 100 entries", [
      { name: ours, turn: (count) => storage.runPromise(inFiber(count, getOurs)) },
      { name: bare, turn: inLoop((some) => getBare(connection, some)) },
      ...stores.map((store) => ({ name: store.name, turn: inLoop(getIn(store)) }))
    ])
    return [
      report("Redis: set 100 entries", sets, [
        timesAsFast(sets, bare, 0.8),
        ...stores.map(({ name }) => timesAsFast(sets, name, 1))
      ]),
      report("Redis: get 100 entries", gets, [
        timesAsFast(gets, bare, 0.8),
        ...stores.map(({ name }) => timesAsFast(gets, name, 1))
      ])
    ]
  })
)

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

const inFiber = <E, R>(
  count: number,
  each: (some: ReadonlyArray<User>) => Effect.Effect<number, E, R>
): Effect.Effect<number, E, R> =>
  Effect.gen(function* () {
    let sum = 0
    for (let nth = 0; nth < count; nth++) sum += yield* each(batchAt(nth))
    return sum
  })

const inLoop =
  (each: (some: ReadonlyArray<User>) => Promise<number>) =>
  async (count: number): Promise<number> => {
    let sum = 0
    // Apart: `sum += await` would read the sum before.
    for (let nth = 0; nth < count; nth++) {
      const added = await each(batchAt(nth))
      sum += added
    }
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
