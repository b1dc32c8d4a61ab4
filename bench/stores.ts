/** Key-value stores of others over the same kinds of server: each as its page says, values as JSON. */
import KeyvRedis from "@keyv/redis"
import { createDatabase } from "db0"
import betterSqlite3 from "db0/connectors/better-sqlite3"
import { Keyv } from "keyv"
import { createStorage, type Storage as Unstorage } from "unstorage"
import db0Driver from "unstorage/drivers/db0"
import redisDriver from "unstorage/drivers/redis"
import type { Address } from "../test/servers/redis.js"
import { keyOf, type User, users } from "./users.js"

export interface Store {
  readonly name: string
  readonly get: (key: string) => Promise<unknown>
  readonly set: (key: string, user: User) => Promise<unknown>
  readonly getMany: (keys: ReadonlyArray<string>) => Promise<ReadonlyArray<unknown>>
  readonly setMany: (users: ReadonlyArray<User>) => Promise<unknown>
  readonly close: () => Promise<void>
}

/** An hour, as ours. */
const ttl = 3_600_000

const keyvOver = (name: string, keyv: Keyv): Store => ({
  name,
  get: (key) => keyv.get(key),
  set: (key, user) => keyv.set(key, user),
  getMany: (keys) => keyv.getMany([...keys]),
  setMany: (some) => keyv.setMany(some.map((user) => ({ key: keyOf(user), value: user }))),
  close: () => keyv.disconnect()
})

const unstorageOver = (name: string, storage: Unstorage): Store => ({
  name,
  get: (key) => storage.getItem(key),
  set: (key, user) => storage.setItem(key, { ...user }),
  getMany: async (keys) => (await storage.getItems([...keys])).map(({ value }) => value),
  setMany: (some) =>
    storage.setItems(some.map((user) => ({ key: keyOf(user), value: { ...user } }))),
  close: () => storage.dispose()
})

export const onRedis = ({ url }: Address): ReadonlyArray<Store> => [
  keyvOver("keyv, @keyv/redis", new Keyv({ store: new KeyvRedis(url), ttl })),
  unstorageOver(
    "unstorage, redis driver",
    createStorage({ driver: redisDriver({ url, ttl: ttl / 1_000 }) })
  )
]

/** Built from source where there is no binary of it, which takes a minute: only if it is there. */
const keyvSqlite = "@keyv/sqlite"

export const onSqlite = async (fileOf: (name: string) => string): Promise<ReadonlyArray<Store>> => {
  const database = createDatabase(betterSqlite3({ path: fileOf("unstorage") }))
  const unstorage = unstorageOver(
    "unstorage, db0 over better-sqlite3",
    createStorage({ driver: db0Driver({ database }) })
  )
  try {
    const { KeyvSqlite } = await import(keyvSqlite)
    const store = new KeyvSqlite({ uri: `sqlite://${fileOf("keyv")}` })
    return [keyvOver("keyv, @keyv/sqlite", new Keyv({ store })), unstorage]
  } catch {
    console.error(`Without keyv, for which: npm install --no-save ${keyvSqlite}@4.0.8`)
    return [unstorage]
  }
}

let changes = 0

/** As it is written the next time. */
export const changed = (user: User): User & { readonly change: number } => ({
  ...user,
  change: ++changes
})

/** One operation after the other, each of the next user: the sum of the ids that come back. */
export const setting =
  (store: Store) =>
  async (count: number): Promise<number> => {
    let sum = 0
    for (let at = 0; at < count; at++) {
      const user = users[at % users.length] as User
      await store.set(keyOf(user), changed(user))
      sum += user.id
    }
    return sum
  }

export const getting =
  (store: Store) =>
  async (count: number): Promise<number> => {
    let sum = 0
    for (let at = 0; at < count; at++) {
      sum += ((await store.get(keyOf(users[at % users.length] as User))) as User).id
    }
    return sum
  }
